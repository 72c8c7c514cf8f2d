using TaskQueue.Contracts;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Tasks;

/// <summary>What producers do with tasks, over HTTP and gRPC alike.</summary>
internal sealed class TaskCalls(TaskService taskService, ITaskQueries queries, TaskWaits waits, StreamQuota streams, Redaction redaction,
    TimeProvider time)
{
    /// <summary>Maximum number of tasks of a request.</summary>
    public const int MaxMany = 1000;

    /// <summary>Submits a task.</summary>
    /// <param name="read">Reads it, given an id in case it has none, and the time.</param>
    /// <exception cref="ApiException">409: another task has the id.</exception>
    public async Task<TaskQueued> EnqueueAsync(Func<Guid, DateTimeOffset, TaskSubmission> read)
    {
        while (true)
        {
            var newId = TaskId.New(time);
            var task = read(newId, time.GetUtcNow());
            try
            {
                // An existing id chosen by the caller is a retry of an earlier request.
                if (await taskService.SubmitAsync(task) is var answer && (answer.Result != SubmitStatus.IdTaken || task.Id != newId))
                    return new TaskQueued(answer.Id, TaskMapping.Word(answer.Result));
            }
            catch (TaskIdConflictException taken)
            {
                if (task.Id != newId)
                    throw new ApiException(409, "id_taken", taken.Message);
            }
        }
    }

    /// <summary>Submits tasks in one transaction.</summary>
    /// <exception cref="ApiException">400: one of them is invalid; the message says which.</exception>
    public async Task<TasksQueued> EnqueueManyAsync(IReadOnlyList<TaskSubmission> tasks)
    {
        try
        {
            var answers = await taskService.SubmitManyAsync(tasks);
            return new TasksQueued([.. answers.Select(a => a.Id)], answers.Count, [.. answers.Select(a => TaskMapping.Word(a.Result))]);
        }
        catch (InvalidSubmissionException refused)
        {
            throw new ApiException(400, "invalid_task", $"tasks[{refused.Index}]: {refused.Message}");
        }
    }

    /// <summary>Reads a task of a list.</summary>
    /// <param name="index">Its place.</param>
    /// <param name="read">Reads it, given an id in case it has none.</param>
    /// <exception cref="ApiException">The task is refused; the message says which it is.</exception>
    public TaskSubmission ReadOne(int index, Func<Guid, TaskSubmission> read)
    {
        try
        {
            return read(TaskId.New(time));
        }
        catch (ApiException refusal)
        {
            throw new ApiException(refusal.Fault.Status, refusal.Fault.Code, $"tasks[{index}]: {refusal.Message}");
        }
    }

    /// <summary>Gets a task, after it has ended or the wait is over.</summary>
    /// <exception cref="ApiException">404.</exception>
    public async Task<TaskDetails> GetAsync(HttpContext context, string id, TimeSpan wait)
    {
        var (access, cancellationToken) = (context.Access(), context.RequestAborted);
        using var counted = wait > TimeSpan.Zero ? streams.Open(access.Tenant) : null;
        using var end = wait > TimeSpan.Zero ? waits.Register(Id(id)) : null;
        if (end is not null && !await queries.HasEndedAsync(Id(id), access, cancellationToken))
            await waits.WaitAsync(end, wait, cancellationToken); // holds nothing of the task in memory
        var task = await queries.FindAsync(Id(id), access, context.Memory().ReserveAnswerAsync, cancellationToken) ?? throw NotFound(id);
        var timeline = await queries.TimelineAsync(task.CorrelationId, context.Memory().ReserveAnswerAsync, cancellationToken);
        return TaskMapping.ToDetails(task, timeline, redaction.For(context.Caller()));
    }

    /// <summary>Cancels a task.</summary>
    /// <exception cref="ApiException">404 or 409.</exception>
    public async Task<TaskChanged> CancelAsync(string id, Access access) =>
        Changed(id, await taskService.CancelAsync(Id(id), access), "cancelled");

    /// <summary>Runs a failed or cancelled task again.</summary>
    /// <exception cref="ApiException">404 or 409.</exception>
    public async Task<TaskChanged> RetryAsync(string id, Access access) =>
        Changed(id, await taskService.RetryAsync(Id(id), access), "pending");

    /// <summary>Deletes a task.</summary>
    /// <exception cref="ApiException">404.</exception>
    public async Task DeleteAsync(string id, Access access)
    {
        var delete = taskService.Delete(Id(id));
        await taskService.ApplyAsync([delete], access);
        if (delete.CommandResult != CommandResult.Applied)
            throw NotFound(id);
    }

    private static TaskChanged Changed(string id, CommandResult commandResult, string status) =>
        commandResult switch
        {
            CommandResult.Applied or CommandResult.Duplicate => new TaskChanged(Id(id), status),
            CommandResult.NotFound => throw NotFound(id),
            CommandResult.KeyTaken =>
                throw new ApiException(409, "dedupe_key_taken", $"another task that waits or runs has the dedupe key of task {id}"),
            CommandResult.Finished => throw new ApiException(409, "finished", $"task {id} has ended and cannot be cancelled"),
            _ => throw new ApiException(409, "not_allowed", $"task {id} is neither failed nor cancelled, so it cannot be retried"),
        };

    private static Guid Id(string id) => Guid.TryParse(id, out var guid) ? guid : throw NotFound(id);

    private static ApiException NotFound(string id) => new(404, "not_found", $"there is no task {id}");
}
