using Hangfire.States;

namespace TaskQueue.Client;

/// <summary>Changes of state that call sites ask for: delete and requeue.</summary>
internal sealed class JobStates(TaskQueueClient client, TimeProvider time)
{
    /// <returns>Whether the job has the state now.</returns>
    /// <exception cref="NotSupportedException">A task cannot change like that.</exception>
    public async Task<bool> ChangeAsync(Guid id, IState state, string? expected)
    {
        if (state is not (DeletedState or EnqueuedState))
            throw new NotSupportedException(state is ScheduledState
                ? "a task cannot be rescheduled: Delete the job and Schedule it again"
                : $"a job cannot be set to {state.Name}: its worker reports how it ends");
        if (await client.GetAsync(id) is not { } task)
            return false;
        if (expected is not null && !expected.Equals(NameOf(task), StringComparison.OrdinalIgnoreCase))
            return false;
        return state is EnqueuedState enqueued ? await RequeueAsync(task, enqueued) : await DeleteAsync(task);
    }

    /// <summary>The state of Hangfire that a task is in.</summary>
    internal string NameOf(TaskInfo task) => task.Status switch
    {
        QueuedTaskStatus.Running => ProcessingState.StateName,
        QueuedTaskStatus.Completed when Continuations.IsSkipped(task) => DeletedState.StateName,
        QueuedTaskStatus.Completed => SucceededState.StateName,
        QueuedTaskStatus.Failed => FailedState.StateName,
        QueuedTaskStatus.Cancelled or QueuedTaskStatus.Expired => DeletedState.StateName,
        _ => task.DueAt > time.GetUtcNow() ? ScheduledState.StateName : EnqueuedState.StateName,
    };

    private async Task<bool> DeleteAsync(TaskInfo task)
    {
        switch (task.Status)
        {
            case QueuedTaskStatus.Cancelled or QueuedTaskStatus.Expired:
                return true;
            case QueuedTaskStatus.Completed:
                return Continuations.IsSkipped(task);
            case QueuedTaskStatus.Failed: // otherwise it would stay a dead letter
                return await TryAsync(() => client.DeleteAsync(task.Id));
            default:
                return await TryAsync(() => client.CancelAsync(task.Id));
        }
    }

    private async Task<bool> RequeueAsync(TaskInfo task, EnqueuedState state)
    {
        if (state.Queue != EnqueuedState.DefaultQueue && state.Queue != task.Queue)
            throw new NotSupportedException($"a job cannot be requeued from {task.Queue} to {state.Queue}: move it with "
                + "TaskQueueClient.StartOperationAsync");
        switch (task.Status)
        {
            case QueuedTaskStatus.Failed or QueuedTaskStatus.Cancelled:
                return await TryAsync(() => client.RetryAsync(task.Id));
            case QueuedTaskStatus.Pending when task.DueAt <= time.GetUtcNow():
                return true;
            default:
                throw new NotSupportedException($"a task that is {task.Status.ToString().ToLowerInvariant()} cannot be requeued, only a "
                    + "failed or a deleted one: Delete it if it has not ended, and Enqueue the job again");
        }
    }

    /// <returns>False if the task has changed meanwhile so that it is too late.</returns>
    private static async Task<bool> TryAsync(Func<Task> change)
    {
        try
        {
            await change();
            return true;
        }
        catch (TaskQueueException fault) when (fault.Status is 404 or 409)
        {
            return false;
        }
    }
}
