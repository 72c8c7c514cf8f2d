using System.Globalization;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Tasks;

/// <summary>Callbacks of tasks and batches: listed with every attempt, and sent again on request.</summary>
internal static class CallbackEndpoints
{
    private const string Prefix = "cb_";

    public static void MapCallbacks(this WebApplication app)
    {
        var callbacks = app.MapGroup("/tasks/{id}/callbacks").WithTags("tasks").AnswerFaults(ApiErrors.Problem);
        callbacks.MapGet("", ListAsync).Needs(Scope.Read).Produces<TaskCallbacks>().ProducesProblem(404)
            .WithSummary("List the callbacks of a task or a batch, each with the log of its tries.");
        callbacks.MapPost("/{callback}/resend", ResendAsync).Needs(Scope.Enqueue).Audited("callback.resend").Produces<TaskCallback>(202)
            .ProducesProblem(404).ProducesProblem(409)
            .WithSummary("Send a callback again that was delivered or has failed: one more try.");
        app.MapGroup("/callbacks").WithTags("callbacks").AnswerFaults(ApiErrors.Problem)
            .MapGet("", ListAllAsync).Needs(Scope.Read).Produces<CallbackList>().ProducesProblem(400)
            .TakesQuery("state", "Only callbacks in this state: waiting, delivered or failed.")
            .TakesQuery("queue", "Only callbacks of tasks and batches of this queue.").TakesWhole("limit", "1 to 200; default 50.")
            .TakesQuery("cursor", "Value of next_cursor from the previous page.")
            .WithSummary("List callbacks of all tasks and batches, newest first.");
    }

    private static async Task<IResult> ListAllAsync(HttpContext context, ICallbackQueries queries, Redaction redaction)
    {
        var page = PageQuery.Read(context.Request, "state", "queue");
        var queue = PageQuery.Single(context.Request, "queue");
        if (queue is not null)
        {
            if (!QueueNames.IsValid(queue))
                throw new ApiException(400, "invalid_request", $"queue must be {QueueNames.Rule}");
            context.Demand(queue);
        }

        var filter = new CallbackFilter(StateOf(PageQuery.Single(context.Request, "state")), queue);
        long? before = page.Cursor is null ? null : NumberOf(page.Cursor) ?? throw PageQuery.WrongCursor();
        var found = await queries.ListAsync(filter, before, page.Limit, context.Access(), context.RequestAborted);
        var redactor = redaction.For(context.Caller());
        return Results.Json(
            new CallbackList([.. found.Callbacks.Select(c => TaskMapping.ToItem(c, redactor))],
                found.Next is { } next ? $"{Prefix}{next}" : null),
            TaskJson.Instance.CallbackList);
    }

    private static CallbackState? StateOf(string? word) => word switch
    {
        null => null,
        "waiting" => CallbackState.Waiting,
        "delivered" => CallbackState.Delivered,
        "failed" => CallbackState.Failed,
        _ => throw new ApiException(400, "invalid_request", "state must be waiting, delivered or failed"),
    };

    private static long? NumberOf(string id) =>
        id.StartsWith(Prefix, StringComparison.Ordinal)
            && long.TryParse(id.AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static async Task<IResult> ListAsync(string id, HttpContext context, ITaskQueries queries, IBatchQueries batches,
        Redaction redaction)
    {
        var seen = await SeenAsync(id, context, queries, batches);
        return Results.Json(new TaskCallbacks([.. seen.Select(c => TaskMapping.ToCallback(c, redaction.For(context.Caller())))]),
            TaskJson.Instance.TaskCallbacks);
    }

    private static async Task<IResult> ResendAsync(string id, string callback, HttpContext context, ITaskQueries queries,
        IBatchQueries batches, ICallbackRepeats repeats, PostCommitNotifier postCommit, Redaction redaction, TimeProvider time)
    {
        context.AuditTarget($"task/{id}/callback/{callback}");
        var seen = await SeenAsync(id, context, queries, batches);
        if (NumberOf(callback) is not { } number || !seen.Exists(c => c.Id == number)
            || await repeats.RepeatAsync(Guid.Parse(id), number, Micros.Now(time)) is not { } repeated)
            throw new ApiException(404, "not_found", $"task {id} has no callback {callback}");
        if (!repeated.IsRepeated)
            throw new ApiException(409, "not_finished", $"callback {callback} waits for its next try already");
        postCommit.Callbacks.Set();
        return Results.Json(TaskMapping.ToCallback(repeated.Callback, redaction.For(context.Caller())), TaskJson.Instance.TaskCallback,
            statusCode: StatusCodes.Status202Accepted);
    }

    private static async Task<List<Callback>> SeenAsync(string id, HttpContext context, ITaskQueries queries, IBatchQueries batches)
    {
        if (!Guid.TryParse(id, out var guid))
            throw NotFound(id);
        var (access, cancellationToken) = (context.Access(), context.RequestAborted);
        var callbacks = await queries.CallbacksAsync(guid, cancellationToken);
        // The log outlives its task; it stores the owner but not the queue.
        var isSeen = await queries.IsSeenAsync(guid, access, cancellationToken)
            || await batches.FindAsync(guid, access, cancellationToken) is not null
            || ((access.Own.IsAll || access.SeesAllTenants) && callbacks.Exists(c => access.CanRead(c.Owner)));
        return isSeen ? callbacks : throw NotFound(id);
    }

    private static ApiException NotFound(string id) => new(404, "not_found", $"there is no task {id}");
}
