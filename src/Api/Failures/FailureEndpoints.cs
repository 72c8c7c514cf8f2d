using System.Globalization;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Failures;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Failures;

/// <summary>Groups of failures with the same cause.</summary>
internal static class FailureEndpoints
{
    public static void MapFailures(this WebApplication app)
    {
        var failures = app.MapGroup("/failures").WithTags("failures").AnswerFaults(ApiErrors.Problem);
        failures.MapGet("", ListAsync).Needs(Scope.Read).Produces<FailureList>().ProducesProblem(400)
            .TakesQuery("queue", "Only failures of this queue.").TakesQuery("name", "Only failures of tasks of this name.")
            .TakesQuery("state", "open, resolved or ignored; default all.").TakesQuery("kind", "error or crash; default both.")
            .TakesWhole("limit", "1 to 200; default 50.").TakesQuery("cursor", "Value of next_cursor from the previous page.")
            .WithSummary("List groups of failures with the same cause, those with the newest failure first.");
        failures.MapGet("/{id}", GetAsync).Needs(Scope.Read).Produces<FailureDetails>().ProducesProblem(404)
            .WithSummary("Get a group of failures with its newest errors and stacks.");
        foreach (var (verb, state, summary) in new (string, FailureState, string)[]
        {
            ("resolve", FailureState.Resolved, "Mark a group as mended: the next failure opens it again."),
            ("ignore", FailureState.Ignored, "Mark a group as of no interest; it is still counted."),
            ("reopen", FailureState.Open, "Mark a group as open."),
        })
        {
            failures.MapPost($"/{{id}}/{verb}",
                    (string id, HttpContext context, IFailureStore store, Redaction redaction, TimeProvider time) =>
                        ChangeAsync(id, state, context, store, redaction, time))
                .Needs(Scope.Admin).Audited($"failure.{verb}").Produces<FailureItem>().ProducesProblem(404).WithSummary(summary);
        }
    }

    private static async Task<IResult> ListAsync(HttpContext context, IFailureStore store, Redaction redaction)
    {
        var query = PageQuery.Read(context.Request, "queue", "name", "state", "kind");
        var limit = query.Limit;
        var filter = new FailureFilter
        {
            Queue = Text("queue"), Name = Text("name"), State = FailureMapping.StateOf(Text("state")),
            Kind = FailureMapping.KindOf(Text("kind")),
        };
        var page = await store.ListAsync(filter, Cursor(query.Cursor), limit + 1, context.Access(), context.RequestAborted);
        var redactor = redaction.For(context.Caller());
        var shown = page.Take(limit).ToList();
        return Results.Json(
            new FailureList([.. shown.Select(g => FailureMapping.ToItem(g, redactor))], page.Count > limit ? CursorOf(shown[^1]) : null),
            FailureJson.Instance.FailureList);

        string? Text(string name) => PageQuery.Single(context.Request, name);
    }

    private static async Task<IResult> GetAsync(
        string id, HttpContext context, IFailureStore store, ITaskQueries queries, Redaction redaction)
    {
        PageQuery.DemandKnown(context.Request);
        var redactor = redaction.For(context.Caller());
        var group = await FindAsync(id, context, store);
        // Errors tend to quote hidden values of the payload.
        var tasks = redactor.IsOn && group.Samples.Count > 0
            ? await queries.FindManyAsync([.. group.Samples.Select(s => s.TaskId).Distinct()], context.Access(), context.RequestAborted,
                reserve: context.Memory().ReserveAnswerAsync)
            : [];
        return Results.Json(FailureMapping.ToDetails(group, redactor, tasks.ToDictionary(t => t.CorrelationId, t => t.Payload)),
            FailureJson.Instance.FailureDetails);
    }

    private static async Task<IResult> ChangeAsync(
        string id, FailureState state, HttpContext context, IFailureStore store, Redaction redaction, TimeProvider time)
    {
        context.AuditTarget($"failure/{id}");
        var before = Guid.TryParse(id, out var guid)
            ? await store.ChangeAsync(guid, state, Micros.Now(time), context.Access(), context.RequestAborted) : null;
        if (before is not { } former)
            throw NotFound(id);
        context.AuditBefore(new FailureChange(FailureMapping.Word(former)), FailureJson.Instance.FailureChange);
        context.AuditAfter(new FailureChange(FailureMapping.Word(state)), FailureJson.Instance.FailureChange);
        return Results.Json(FailureMapping.ToItem(await FindAsync(id, context, store), redaction.For(context.Caller())),
            FailureJson.Instance.FailureItem);
    }

    private static async Task<FailureGroup> FindAsync(string id, HttpContext context, IFailureStore store) =>
        (Guid.TryParse(id, out var guid) ? await store.FindAsync(guid, context.Access(), context.RequestAborted) : null)
            ?? throw NotFound(id);

    private static string CursorOf(FailureGroup group) =>
        string.Create(CultureInfo.InvariantCulture, $"{Micros.FromTime(group.LastSeenAt)}-{group.Id:N}");

    private static FailureCursor? Cursor(string? text) =>
        text is null ? null
        : text.Split('-') is [var at, var id] && long.TryParse(at, NumberStyles.None, CultureInfo.InvariantCulture, out var micros)
            && micros < Micros.FromTime(DateTime.MaxValue) && Guid.TryParseExact(id, "N", out var guid)
            ? new FailureCursor(Micros.ToTime(micros), guid)
        : throw PageQuery.WrongCursor();

    private static ApiException NotFound(string id) => new(404, "not_found", $"there is no group of failures {id}");
}
