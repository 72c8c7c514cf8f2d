using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Replies;

/// <summary>
/// Brings progress and completions to the process whose caller waits. A completion that is lost is found in the database.
/// </summary>
public interface IReplySender
{
    /// <summary>Sends progress; returns when the caller, or the broker, has it.</summary>
    /// <param name="replyTo">The process whose caller waits.</param>
    /// <param name="taskId">The task.</param>
    /// <param name="progress">What the worker reported.</param>
    /// <param name="cancellationToken">Ends the wait, not the send.</param>
    /// <exception cref="BrokerSilentException">The broker did not take it.</exception>
    Task ProgressAsync(string replyTo, Guid taskId, TaskProgress progress, CancellationToken cancellationToken);

    /// <summary>Tells the callers of tasks that were committed as ended; failures are logged and never affect tasks.</summary>
    void Ended(IEnumerable<TaskState> written);
}
