using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Replies;

/// <summary>Sends progress and completions to the process whose caller waits. A lost completion is recovered from the database.</summary>
public interface IReplySender
{
    /// <summary>Sends progress; returns when the caller or the broker has received it.</summary>
    /// <param name="replyTo">The process whose caller waits.</param>
    /// <param name="taskId">The task.</param>
    /// <param name="progress">The progress reported by the worker.</param>
    /// <param name="cancellationToken">Cancels the wait, not the send.</param>
    /// <exception cref="BrokerSilentException">The broker did not confirm it.</exception>
    Task ProgressAsync(string replyTo, Guid taskId, TaskProgress progress, CancellationToken cancellationToken);

    /// <summary>Notifies the callers of committed completions; failures are logged and never affect tasks.</summary>
    void Ended(IEnumerable<TaskState> written);
}
