using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Statistics;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Json;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Statistics;

/// <summary>
/// Counts of queues over time. A caller that may see all tasks of a queue gets the counts of all, another one those of its own tasks.
/// </summary>
internal static class StatisticsEndpoints
{
    private const int MaxQueues = 100, MaxPeriods = 1500, MaxPoints = 50_000;

    public static void MapStatistics(this WebApplication app) =>
        app.MapGroup("/statistics").WithTags("statistics").AnswerFaults(ApiErrors.Problem)
            .MapGet("", ReadAsync).Needs(Scope.Read).Produces<StatisticsAnswer>().ProducesProblem(400).ProducesProblem(403)
            .TakesTexts("queue", "Base name of a queue; repeatable. Default: all queues that the caller sees.")
            .TakesQuery("from", "Start: ISO 8601 with a zone, or Unix seconds. Default: an hour, a day or 30 days before the end.")
            .TakesQuery("to", "End, exclusive. Default: now.")
            .TakesQuery("step", "minute, hour or day. Default: minute.")
            .WithSummary("Get what happened to the tasks of queues over time: at most 1,500 periods and 50,000 points.");

    private static async Task<IResult> ReadAsync(HttpContext context, IStatisticsStore store, TimeProvider time)
    {
        var request = context.Request;
        PageQuery.DemandKnown(request, "queue", "from", "to", "step");
        var (step, word, length, span) = PageQuery.Single(request, "step") switch
        {
            null or "minute" => (StatisticsStep.Minute, "minute", TimeSpan.FromMinutes(1), TimeSpan.FromHours(1)),
            "hour" => (StatisticsStep.Hour, "hour", TimeSpan.FromHours(1), TimeSpan.FromDays(1)),
            "day" => (StatisticsStep.Day, "day", TimeSpan.FromDays(1), TimeSpan.FromDays(30)),
            _ => throw Wrong("step must be minute, hour or day"),
        };
        var queues = Queues(context);
        var to = Time(request, "to") ?? Micros.Now(time);
        var from = Time(request, "from") ?? (to.Ticks > span.Ticks ? to - span : to);
        from = new DateTime(from.Ticks - (from.Ticks % length.Ticks), DateTimeKind.Utc);
        if (from > to)
            throw Wrong("from must be before to");
        if ((to - from) / length > MaxPeriods)
            throw Wrong($"from and to must be at most {MaxPeriods} periods of step {word} apart; choose a longer step");
        var access = context.Access();
        var rows = await store.ReadAsync(new(step, from, to, queues), access, MaxPoints + 1, context.RequestAborted);
        if (rows.Count > MaxPoints)
            throw Wrong($"there are more than {MaxPoints} points; name queues, or choose a shorter time or a longer step");
        var points = rows.ToLookup(r => r.Queue, r => StatisticsPoint.Of(r, access.Others.Match(r.Queue)), StringComparer.Ordinal);
        var names = queues.Count > 0 ? queues : points.Select(p => p.Key);
        return Results.Json(
            new StatisticsAnswer(from, to, word, [.. names.Select(q => new QueueStatistics(q, [.. points[q]]))]),
            StatisticsJson.Instance.StatisticsAnswer);
    }

    private static List<string> Queues(HttpContext context)
    {
        var names = context.Request.Query["queue"].Select(q => q ?? "").Distinct(StringComparer.Ordinal)
            .Order(StringComparer.Ordinal).ToList();
        if (names.Count > MaxQueues)
            throw Wrong($"queue can be given at most {MaxQueues} times");
        foreach (var name in names)
        {
            if (!QueueNames.IsValid(name))
                throw Wrong($"queue: '{name}' is no name ({QueueNames.Rule})");
            context.Demand(name);
        }

        return names;
    }

    private static DateTime? Time(HttpRequest request, string name) =>
        PageQuery.Single(request, name) is not { } text ? null
        : PointInTime.Parse(text) ?? throw Wrong($"{name} must be {PointInTime.Rule}");

    private static ApiException Wrong(string message) => new(400, "invalid_request", message);
}
