namespace TaskQueue.Engine.Logs;

/// <summary>Stores the logs of tasks; they are removed with their task.</summary>
public interface ITaskLogStore
{
    /// <summary>
    /// Appends lines, and drops the oldest lines of tasks that then have more than <see cref="TaskLogRules.MaxLines"/> or
    /// <see cref="TaskLogRules.MaxBytes"/>. Lines of tasks that are gone are dropped.
    /// </summary>
    Task AppendAsync(IReadOnlyList<TaskLogChunk> chunks, CancellationToken cancellationToken);

    /// <summary>Reads lines of a task, oldest first.</summary>
    /// <param name="taskId">The task.</param>
    /// <param name="after">Number of the line before the first one.</param>
    /// <param name="max">Largest number of lines.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    Task<IReadOnlyList<TaskLogEntry>> ReadAsync(Guid taskId, long after, int max, CancellationToken cancellationToken);

    /// <summary>Removes lines whose task was removed while they were written.</summary>
    /// <param name="after">Only of tasks after this one.</param>
    /// <param name="max">Largest number of tasks to look at.</param>
    /// <param name="cancellationToken">Cancels the removal.</param>
    /// <returns>The number of rows removed, and the last task looked at; null if there are no more.</returns>
    Task<(int Removed, Guid? Last)> RemoveOrphansAsync(Guid after, int max, CancellationToken cancellationToken);
}
