using System.Text.Json;
using Microsoft.Extensions.Options;
using TaskQueue.Api.Search;
using TaskQueue.Contracts;
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
    private const int BulkMax = 1000;

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

    private static async Task<IResult> PostAsync(HttpContext context, TaskService taskService, TimeProvider time,
        IOptions<EngineOptions> options)
    {
        using var body = await RequestJson.ReadDocumentAsync(context, BodyLimits.One(options.Value));
        while (true)
        {
            var newId = TaskId.New(time);
            var task = TaskRequest.Read(body.RootElement, newId, time.GetUtcNow(), context.Access(), isNative: false);
            try
            {
                // An existing id chosen by the caller is a retry of an earlier request.
                if (await taskService.SubmitAsync(task) is var answer && (answer.Result != SubmitStatus.IdTaken || task.Id != newId))
                    return Results.Json(new TaskQueued(answer.Id, TaskMapping.Word(answer.Result)), TaskJson.Instance.TaskQueued,
                        statusCode: 202);
            }
            catch (TaskIdConflictException taken)
            {
                if (task.Id != newId)
                    throw new ApiException(409, "id_taken", taken.Message);
            }
            catch (Exception fault) when (fault is not (InvalidSubmissionException or QuotaExceededException))
            {
                throw new ApiException(Note(context, fault) ? StatusCodes.Status503ServiceUnavailable
                    : StatusCodes.Status500InternalServerError, "not_queued", "failed to queue task");
            }
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

    private static async Task<IResult> PostManyAsync(HttpContext context, TaskService taskService, TimeProvider time,
        IOptions<EngineOptions> options)
    {
        var (now, access) = (time.GetUtcNow(), context.Access());
        var list = new RequestList("tasks", BodyLimits.Many(options.Value), BodyLimits.One(options.Value), BulkMax,
            $"the body must be {{\"tasks\": [...]}} with 1 to {BulkMax} tasks");
        var tasks = await RequestLists.ReadAsync(context, list, (task, index) => ReadOne(task, index, TaskId.New(time), now, access));
        try
        {
            var answers = await taskService.SubmitManyAsync(tasks);
            return Results.Json(new TasksQueued([.. answers.Select(a => a.Id)], answers.Count,
                [.. answers.Select(a => TaskMapping.Word(a.Result))]), TaskJson.Instance.TasksQueued, statusCode: 202);
        }
        catch (InvalidSubmissionException refused)
        {
            throw new ApiException(400, "invalid_task", $"tasks[{refused.Index}]: {refused.Message}");
        }
    }

    private static TaskSubmission ReadOne(JsonElement task, int index, Guid id, DateTimeOffset now, Access access)
    {
        try
        {
            return TaskRequest.Read(task, id, now, access, isNative: true);
        }
        catch (ApiException refusal)
        {
            throw new ApiException(refusal.Fault.Status, refusal.Fault.Code, $"tasks[{index}]: {refusal.Message}");
        }
    }

    private static async Task<IResult> GetAsync(string id, HttpContext context, ITaskQueries queries, TaskWaits waits, Redaction redaction,
        StreamQuota streams, CancellationToken cancellationToken)
    {
        var access = context.Access();
        PageQuery.DemandKnown(context.Request, "wait_seconds");
        var wait = TaskWaits.Read(context.Request.Query);
        using var counted = wait > TimeSpan.Zero ? streams.Open(access.Tenant) : null;
        using var end = wait > TimeSpan.Zero ? waits.Register(Id(id)) : null;
        if (end is not null && !await queries.HasEndedAsync(Id(id), access, cancellationToken))
            await waits.WaitAsync(end, wait, cancellationToken); // holds nothing of the task in memory
        var task = await queries.FindAsync(Id(id), access, context.Memory().ReserveAnswerAsync, cancellationToken) ?? throw NotFound(id);
        var timeline = await queries.TimelineAsync(task.CorrelationId, context.Memory().ReserveAnswerAsync, cancellationToken);
        return Results.Json(TaskMapping.ToDetails(task, timeline, redaction.For(context.Caller())), TaskJson.Instance.TaskDetails);
    }

    private static async Task<IResult> CancelAsync(string id, HttpContext context, TaskService taskService) =>
        Changed(id, await taskService.CancelAsync(Id(id), context.Access()), "cancelled");

    private static async Task<IResult> DeleteAsync(string id, HttpContext context, TaskService taskService)
    {
        var delete = taskService.Delete(Id(id));
        await taskService.ApplyAsync([delete], context.Access());
        return delete.CommandResult == CommandResult.Applied ? Results.NoContent() : throw NotFound(id);
    }

    private static async Task<IResult> RetryAsync(string id, HttpContext context, TaskService taskService) =>
        Changed(id, await taskService.RetryAsync(Id(id), context.Access()), "pending");

    private static IResult Changed(string id, CommandResult commandResult, string status) =>
        commandResult switch
        {
            CommandResult.Applied or CommandResult.Duplicate =>
                Results.Json(new TaskChanged(Id(id), status), TaskJson.Instance.TaskChanged),
            CommandResult.NotFound => throw NotFound(id),
            CommandResult.KeyTaken =>
                throw new ApiException(409, "dedupe_key_taken", $"another task that waits or runs has the dedupe key of task {id}"),
            CommandResult.Finished => throw new ApiException(409, "finished", $"task {id} has ended and cannot be cancelled"),
            _ => throw new ApiException(409, "not_allowed", $"task {id} is neither failed nor cancelled, so it cannot be retried"),
        };

    private static Guid Id(string id) => Guid.TryParse(id, out var guid) ? guid : throw NotFound(id);

    private static ApiException NotFound(string id) => new(404, "not_found", $"there is no task {id}");

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
