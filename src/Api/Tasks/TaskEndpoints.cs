using Microsoft.Extensions.Options;
using TaskQueue.Api.Search;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Search;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Tasks;

/// <summary>The <c>/tasks</c> API: the two original routes with the original bodies, and the native ones.</summary>
internal static partial class TaskEndpoints
{
    private const int ListMax = 100;

    public static void MapTasks(this WebApplication app)
    {
        var plain = app.MapGroup("/tasks").WithTags("tasks").AnswerFaults(PlainError);
        plain.MapPost("", PostAsync).Needs(Scope.Enqueue).WithName("enqueueTask").TakesJson<TaskBody>().Produces<TaskQueued>(202)
            .Produces<TaskError>(400).Produces<TaskError>(409).Produces<TaskError>(413).Produces<TaskError>(429).Produces<TaskError>(500)
            .Produces<TaskError>(503)
            .WithSummary("Accept a task: {\"action\", \"data\"}, and optionally queue, priority, scheduled_at, expires_at, max_attempts, "
                + "dedupe_key, overwrite, ordering_key, lease_seconds, retry, callback_url, tags, id.");
        plain.MapGet("", ListAsync).Needs(Scope.Read).TakesQuery("status",
            "Only tasks of this status; none has another.", "pending", "running", "retrying", "completed", "failed", "cancelled", "expired")
            .Produces<TaskList>().Produces<TaskError>(500).ProducesProblem(400).TakesSearch()
            .WithSummary("Search tasks, newest first. Without parameters or with status alone: list the newest 100 tasks, optionally of "
                + "one status: pending, running, retrying, completed, failed, cancelled, expired.");

        var native = app.MapGroup("/tasks").WithTags("tasks").AnswerFaults(ApiErrors.Problem);
        native.MapPost("/bulk", PostManyAsync).Needs(Scope.Enqueue).WithName("enqueueTasks").TakesJson<TasksBody>()
            .Produces<TasksQueued>(202).ProducesProblem(400).ProducesProblem(409).ProducesProblem(413).ProducesProblem(429)
            .WithSummary("Accept 1 to 1,000 tasks in one transaction: {\"tasks\": [...]}, each as in POST /tasks.");
        native.MapGet("/{id}", GetAsync).Needs(Scope.Read).MayWait().Produces<TaskDetails>().ProducesProblem(404).ProducesProblem(400)
            .ProducesProblem(429)
            .TakesNumber("wait_seconds", "Wait until the task has ended, at most this many seconds: 0 to 30.")
            .WithSummary("Get a task with its timeline.");
        native.MapPost("/{id}/cancel", CancelAsync).Needs(Scope.Enqueue).Produces<TaskChanged>().ProducesProblem(404).ProducesProblem(409)
            .WithSummary("Cancel a task that has not ended.");
        native.MapDelete("/{id}", DeleteAsync).Needs(Scope.Enqueue).Produces(204).ProducesProblem(404)
            .WithSummary("Delete a task in any status.");
        native.MapPost("/{id}/retry", RetryAsync).Needs(Scope.Enqueue).Produces<TaskChanged>().ProducesProblem(404).ProducesProblem(409)
            .WithSummary("Run a failed or cancelled task again.");
    }

    private static IResult PlainError(ApiError fault) =>
        Results.Json(new TaskError(fault.Code == "invalid_json" ? "invalid JSON" : fault.Message), TaskJson.Instance.TaskError,
            statusCode: fault.Status);

    private static async Task<IResult> PostAsync(HttpContext context, TaskCalls calls, IOptions<EngineOptions> options)
    {
        using var body = await RequestJson.ReadDocumentAsync(context, BodyLimits.One(options.Value));
        try
        {
            var queued = await calls.EnqueueAsync((newId, now) =>
                TaskRequest.Read(body.RootElement, newId, now, context.Access(), isNative: false));
            return Results.Json(queued, TaskJson.Instance.TaskQueued, statusCode: 202);
        }
        catch (Exception fault) when (fault is not (ApiException or InvalidSubmissionException or QuotaExceededException))
        {
            throw new ApiException(Note(context, fault) ? StatusCodes.Status503ServiceUnavailable
                : StatusCodes.Status500InternalServerError, "not_queued", "failed to queue task");
        }
    }

    private static async Task<IResult> ListAsync(HttpContext context, ITaskQueries queries, ITaskSearch search, Redaction redaction)
    {
        if (SearchEndpoint.IsMeant(context.Request.Query))
            return await SearchEndpoint.AnswerAsync(context, search, redaction);
        int? state = null;
        if (context.Request.Query.TryGetValue("status", out var status))
        {
            state = TaskStates.Parse(status[0] ?? "");
            if (state is null)
                return Results.Json(new TaskList([], 0), TaskJson.Instance.TaskList);
        }

        try
        {
            var tasks = await queries.NewestAsync(state, ListMax, context.Access(), context.RequestAborted,
                context.Memory().ReserveAnswerAsync);
            // Ids are ordered by arrival, but processes and concurrent requests may read the clock in a different order.
            var redactor = redaction.For(context.Caller());
            var rows = tasks.Select(task => TaskMapping.ToRow(task, redactor)).OrderByDescending(row => row.CreatedAt);
            return Results.Json(new TaskList([.. rows], tasks.Count), TaskJson.Instance.TaskList);
        }
        catch (Exception fault) when (fault is not (OperationCanceledException or OverloadedException))
        {
            Note(context, fault);
            throw new ApiException(StatusCodes.Status500InternalServerError, "database_unavailable",
                "database unavailable"); // for any failure (dtq-and-wippy.md B2)
        }
    }

    private static async Task<IResult> PostManyAsync(HttpContext context, TaskCalls calls, TimeProvider time,
        IOptions<EngineOptions> options)
    {
        var (now, access) = (time.GetUtcNow(), context.Access());
        var list = new RequestList("tasks", BodyLimits.Many(options.Value), BodyLimits.One(options.Value), TaskCalls.MaxMany,
            $"the body must be {{\"tasks\": [...]}} with 1 to {TaskCalls.MaxMany} tasks");
        var tasks = await RequestLists.ReadAsync(context, list, (task, index) =>
            calls.ReadOne(index, newId => TaskRequest.Read(task, newId, now, access, isNative: true)));
        return Results.Json(await calls.EnqueueManyAsync(tasks), TaskJson.Instance.TasksQueued, statusCode: 202);
    }

    private static async Task<IResult> GetAsync(string id, HttpContext context, TaskCalls calls)
    {
        PageQuery.DemandKnown(context.Request, "wait_seconds");
        return Results.Json(await calls.GetAsync(context, id, TaskWaits.Read(context.Request.Query)), TaskJson.Instance.TaskDetails);
    }

    private static async Task<IResult> CancelAsync(string id, HttpContext context, TaskCalls calls) =>
        Results.Json(await calls.CancelAsync(id, context.Access()), TaskJson.Instance.TaskChanged);

    private static async Task<IResult> DeleteAsync(string id, HttpContext context, TaskCalls calls)
    {
        await calls.DeleteAsync(id, context.Access());
        return Results.NoContent();
    }

    private static async Task<IResult> RetryAsync(string id, HttpContext context, TaskCalls calls) =>
        Results.Json(await calls.RetryAsync(id, context.Access()), TaskJson.Instance.TaskChanged);

    /// <summary>Logs a fault unless it is part of an outage.</summary>
    /// <returns>Whether it is transient: the response is then 503 with Retry-After, although the original API only has 500.</returns>
    private static bool Note(HttpContext context, Exception fault)
    {
        var passes = context.RequestServices.GetRequiredService<DependencyHealth>().TryHandle(fault);
        if (!passes)
            LogFailed(context.RequestServices.GetRequiredService<ILoggerFactory>()
                .CreateLogger(typeof(TaskEndpoints)), fault, context.Request.Path);
        return passes;
    }

    [LoggerMessage(LogLevel.Error, "{Path} failed")]
    private static partial void LogFailed(ILogger logger, Exception fault, string path);
}
