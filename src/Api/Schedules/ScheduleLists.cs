using System.Buffers.Text;
using System.Text;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Schedules;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Schedules;

/// <summary>The schedules of all queues, and the ticks of a cron expression that is still being written.</summary>
internal static class ScheduleLists
{
    /// <summary>Most ticks in an answer.</summary>
    internal const int MaxTicks = 100;

    private const int DefaultTicks = 5, MaxCron = 1024, MaxZone = 128;

    public static void MapScheduleLists(this WebApplication app)
    {
        var schedules = app.MapGroup("/schedules").WithTags("schedules").AnswerFaults(ApiErrors.Problem).Needs(Scope.Read);
        schedules.MapGet("", ListAsync).Produces<SchedulePage>().ProducesProblem(400)
            .TakesWhole("limit", "1 to 200; default 50.").TakesQuery("cursor", "Value of next_cursor from the previous page.")
            .WithSummary("List the schedules of all queues, by queue and name.");
        schedules.MapGet("/preview", Preview).Produces<ScheduleTicks>().ProducesProblem(400)
            .TakesQuery("cron", "The cron expression.").TakesQuery("time_zone", "IANA name; default UTC.")
            .TakesWhole("count", "1 to 100; default 5.")
            .WithSummary("Check a cron expression and get its next ticks.");
    }

    private static async Task<IResult> ListAsync(HttpContext context, ScheduleService schedules, Redaction redaction)
    {
        var page = PageQuery.Read(context.Request);
        var found = await schedules.ListAllAsync(context.Access(), page.Cursor is { } cursor ? Parse(cursor) : null, page.Limit,
            context.Memory().ReserveAnswerAsync, context.RequestAborted);
        var redactor = redaction.For(context.Caller());
        return Results.Json(new SchedulePage([.. found.Schedules.Select(s => ScheduleEndpoints.ToDetails(s, redactor))],
            found.Next is { } next ? ToText(next.Queue, next.Name) : null), ScheduleJson.Instance.SchedulePage);
    }

    private static IResult Preview(HttpContext context, ScheduleService schedules)
    {
        PageQuery.DemandKnown(context.Request, "cron", "time_zone", "count");
        var cron = PageQuery.Single(context.Request, "cron") is { Length: <= MaxCron } text ? text
            : throw new ApiException(400, "invalid_request", $"cron must be a cron expression of at most {MaxCron} characters");
        var zone = PageQuery.Single(context.Request, "time_zone") ?? "UTC";
        if (zone.Length > MaxZone)
            throw new ApiException(400, "invalid_request", "time_zone must be an IANA name such as Europe/Berlin");
        var count = PageQuery.Number(context.Request, "count", DefaultTicks, MaxTicks);
        return Results.Json(new ScheduleTicks(schedules.Preview(cron, zone, count)), ScheduleJson.Instance.ScheduleTicks);
    }

    /// <summary>Names have no slash.</summary>
    private static string ToText(string queue, string name) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes($"{queue}/{name}"));

    private static (string Queue, string Name) Parse(string cursor)
    {
        try
        {
            if (Encoding.UTF8.GetString(Base64Url.DecodeFromChars(cursor)).Split('/') is [var queue, var name]
                && QueueNames.IsValid(queue) && QueueNames.IsValid(name))
                return (queue, name);
        }
        catch (FormatException)
        {
            // Like any other text that is no cursor.
        }

        throw PageQuery.WrongCursor();
    }
}
