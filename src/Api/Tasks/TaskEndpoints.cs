using System.Text.Json;
using Microsoft.Extensions.Options;
using TaskQueue.Api.Auth;
using TaskQueue.Api.Http;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Api.Tasks;

/// <summary>The <c>/tasks</c> door: the seed's two routes with its own bodies, and the native ones beside them.</summary>
internal static partial class TaskEndpoints
{
    private const int ListMax = 100;
    private const int BulkMax = 1000;

    public static void MapTasks(this WebApplication app)
    {
        var seed = app.MapGroup("/tasks").WithTags("tasks").AnswerFaults(SeedError);
        seed.MapPost("", PostAsync).Needs(Scope.Enqueue).TakesJson<TaskBody>().Produces<TaskQueued>(202).Produces<TaskError>(400).Produces<TaskError>(413).Produces<TaskError>(500).Produces<TaskError>(503)
            .WithSummary("Accept a task: {\"action\", \"data\"}, and optionally queue, priority, scheduled_at, expires_at, max_attempts, dedupe_key, overwrite, thread_id, lease_seconds, retry, callback_url, id.");
        seed.MapGet("", ListAsync).Needs(Scope.Read).TakesQuery("status", "Only tasks of this status.").Produces<TaskList>().Produces<TaskError>(500)
            .WithSummary("The newest 100 tasks, or those of one status: pending, running, retrying, completed, failed, cancelled, expired.");

        var native = app.MapGroup("/tasks").WithTags("tasks").AnswerFaults(HttpRegistration.Problem);
        native.MapPost("/bulk", PostManyAsync).Needs(Scope.Enqueue).TakesJson<TasksBody>().Produces<TasksQueued>(202).ProducesProblem(400).ProducesProblem(413)
            .WithSummary("Accept 1 to 1,000 tasks in one transaction: {\"tasks\": [...]}, each as in POST /tasks.");
        native.MapGet("/{id}", GetAsync).Needs(Scope.Read).MayWait().Produces<TaskDetails>().ProducesProblem(404).ProducesProblem(400)
            .TakesQuery("wait_seconds", "Answer when the task has ended, or after so many seconds as it is then: 0 to 30.")
            .WithSummary("One task with its timeline.");
        native.MapGet("/{id}/callbacks", CallbacksAsync).Needs(Scope.Read).Produces<TaskCallbacks>().ProducesProblem(404)
            .WithSummary("The callbacks of a task or a batch, each with the log of its tries.");
        native.MapPost("/{id}/cancel", CancelAsync).Needs(Scope.Enqueue).Produces<TaskChanged>().ProducesProblem(404).ProducesProblem(409)
            .WithSummary("Cancel a task that has not ended.");
        native.MapDelete("/{id}", DeleteAsync).Needs(Scope.Enqueue).Produces(204).ProducesProblem(404).WithSummary("Delete a task, whatever its status.");
        native.MapPost("/{id}/retry", RetryAsync).Needs(Scope.Enqueue).Produces<TaskChanged>().ProducesProblem(404).ProducesProblem(409)
            .WithSummary("Run a failed or cancelled task again.");
    }

    private static IResult SeedError(DoorFault fault) =>
        Results.Json(new TaskError(fault.Code == "invalid_json" ? "invalid JSON" : fault.Message), TaskJson.Shapes.TaskError, statusCode: fault.Status);

    private static async Task<IResult> PostAsync(HttpContext context, TaskVerbs verbs, TimeProvider time, IOptions<EngineOptions> options)
    {
        using var body = await RequestJson.ReadDocumentAsync(context, BodyLimits.One(options.Value));
        while (true)
        {
            var newId = TaskId.New(time);
            var task = TaskRequest.Read(body.RootElement, newId, time.GetUtcNow(), context.Caller());
            try
            {
                // An id that the caller chose and that exists is what was sent before.
                if (await verbs.SubmitAsync(task) is var answer && (answer.Result != Admitted.IdTaken || task.Id != newId))
                    return Results.Json(new TaskQueued(answer.Id, TaskMapping.Word(answer.Result)), TaskJson.Shapes.TaskQueued, statusCode: 202);
            }
            catch (Exception fault) when (fault is not InvalidSubmissionException)
            {
                throw new DoorException(Note(context, fault) ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status500InternalServerError, "not_queued", "failed to queue task");
            }
        }
    }

    private static async Task<IResult> ListAsync(HttpContext context, TaskQueries queries, Redaction redaction)
    {
        int? state = null;
        if (context.Request.Query.TryGetValue("status", out var status))
        {
            state = TaskStates.Parse(status[0] ?? "");
            if (state is null)
                return Results.Json(new TaskList([], 0), TaskJson.Shapes.TaskList);
        }

        try
        {
            var tasks = await queries.NewestAsync(state, ListMax, context.Caller().Sees, context.RequestAborted);
            // Ids are in the order of arrival, but processes and concurrent requests may read the clock in another order.
            var redactor = redaction.For(context.Caller());
            var rows = tasks.Select(task => TaskMapping.ToRow(task, redactor)).OrderByDescending(row => row.CreatedAt);
            return Results.Json(new TaskList([.. rows], tasks.Count), TaskJson.Shapes.TaskList);
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            Note(context, fault);
            throw new DoorException(StatusCodes.Status500InternalServerError, "database_unavailable", "database unavailable"); // whatever is wrong (dtq-and-wippy.md B2)
        }
    }

    private static async Task<IResult> PostManyAsync(HttpContext context, TaskVerbs verbs, TimeProvider time, IOptions<EngineOptions> options)
    {
        using var body = await RequestJson.ReadDocumentAsync(context, BodyLimits.Many(options.Value));
        if (body.RootElement.ValueKind != JsonValueKind.Object || !body.RootElement.TryGetProperty("tasks", out var list) || list.ValueKind != JsonValueKind.Array
            || list.GetArrayLength() is 0 or > BulkMax)
            throw new DoorException(400, "invalid_request", $"the body must be {{\"tasks\": [...]}} with 1 to {BulkMax} tasks");
        var now = time.GetUtcNow();
        var tasks = list.EnumerateArray().Select((task, index) => ReadOne(task, index, TaskId.New(time), now, context.Caller())).ToList();
        try
        {
            var answers = await verbs.SubmitManyAsync(tasks);
            return Results.Json(new TasksQueued([.. answers.Select(a => a.Id)], answers.Count, [.. answers.Select(a => TaskMapping.Word(a.Result))]), TaskJson.Shapes.TasksQueued, statusCode: 202);
        }
        catch (InvalidSubmissionException refused)
        {
            throw new DoorException(400, "invalid_task", $"tasks[{refused.Index}]: {refused.Message}");
        }
    }

    private static async Task<IResult> CallbacksAsync(string id, HttpContext context, TaskQueries queries, BatchQueries batches, Redaction redaction, CancellationToken stop)
    {
        var (sees, guid) = (context.Caller().Sees, Id(id));
        var callbacks = await queries.CallbacksAsync(guid, stop);
        // The log outlives its task; then it is only for who sees everything.
        var isSeen = await queries.FindAsync(guid, sees, stop) is not null || await batches.FindAsync(guid, sees.Owner, stop) is not null || (sees == Access.All && callbacks.Count > 0);
        return isSeen ? Results.Json(new TaskCallbacks([.. callbacks.Select(c => TaskMapping.ToCallback(c, redaction.For(context.Caller())))]), TaskJson.Shapes.TaskCallbacks) : throw NotFound(id);
    }

    private static TaskSubmission ReadOne(JsonElement task, int index, Guid id, DateTimeOffset now, Caller caller)
    {
        try
        {
            return TaskRequest.Read(task, id, now, caller);
        }
        catch (DoorException door)
        {
            throw new DoorException(door.Fault.Status, door.Fault.Code, $"tasks[{index}]: {door.Message}");
        }
    }

    private static async Task<IResult> GetAsync(string id, HttpContext context, TaskQueries queries, TaskWaits waits, Redaction redaction, CancellationToken stop)
    {
        var sees = context.Caller().Sees;
        var wait = TaskWaits.Read(context.Request.Query);
        using var end = wait > TimeSpan.Zero ? waits.Register(Id(id)) : null;
        var task = await queries.FindAsync(Id(id), sees, stop) ?? throw NotFound(id);
        if (end is not null && !TaskStates.IsTerminal(task.State))
        {
            await waits.WaitAsync(end, wait, stop);
            task = await queries.FindAsync(Id(id), sees, stop) ?? throw NotFound(id);
        }

        return Results.Json(TaskMapping.ToDetails(task, await queries.TimelineAsync(task.CorrelationId, stop), redaction.For(context.Caller())), TaskJson.Shapes.TaskDetails);
    }

    private static async Task<IResult> CancelAsync(string id, HttpContext context, TaskVerbs verbs) => Changed(id, await verbs.CancelAsync(Id(id), context.Caller().Sees), "cancelled");

    private static async Task<IResult> DeleteAsync(string id, HttpContext context, TaskVerbs verbs)
    {
        var delete = verbs.Delete(Id(id));
        await verbs.ApplyAsync([delete], context.Caller().Sees);
        return delete.Verdict == Verdict.Applied ? Results.NoContent() : throw NotFound(id);
    }

    private static async Task<IResult> RetryAsync(string id, HttpContext context, TaskVerbs verbs) => Changed(id, await verbs.RetryAsync(Id(id), context.Caller().Sees), "pending");

    private static IResult Changed(string id, Verdict verdict, string status) =>
        verdict switch
        {
            Verdict.Applied or Verdict.Duplicate => Results.Json(new TaskChanged(Id(id), status), TaskJson.Shapes.TaskChanged),
            Verdict.NotFound => throw NotFound(id),
            Verdict.KeyTaken => throw new DoorException(409, "dedupe_key_taken", $"another task that waits or runs has the dedupe key of task {id}"),
            Verdict.Finished => throw new DoorException(409, "finished", $"task {id} has ended and cannot be cancelled"),
            _ => throw new DoorException(409, "not_allowed", $"task {id} is neither failed nor cancelled, so it cannot be retried"),
        };

    private static Guid Id(string id) => Guid.TryParse(id, out var guid) ? guid : throw NotFound(id);

    private static DoorException NotFound(string id) => new(404, "not_found", $"there is no task {id}");

    /// <summary>Logs a fault, where it is no part of an outage.</summary>
    /// <returns>Whether it passes by itself: a task that cannot be accepted for that is 503 with Retry-After, though the seed knows 500 only.</returns>
    private static bool Note(HttpContext context, Exception fault)
    {
        var passes = context.RequestServices.GetRequiredService<Outages>().Covers(fault);
        if (!passes)
            LogFailed(context.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(TaskEndpoints)), fault, context.Request.Path);
        return passes;
    }

    [LoggerMessage(LogLevel.Error, "{Path} failed")]
    private static partial void LogFailed(ILogger logger, Exception fault, string path);
}
