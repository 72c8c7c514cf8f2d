namespace TaskQueue.Engine.Tasks;

/// <summary>Commits commands for tasks, together with those of other callers.</summary>
public interface ITaskCommitter
{
    /// <summary>
    /// Commits commands; their results are set. Those of one task are applied in order. A command that fails does not hide the results of
    /// the others.
    /// </summary>
    /// <returns>The exception of each command, in order; null if the state machine answered.</returns>
    Task<IReadOnlyList<Exception?>> CommitAsync(IReadOnlyList<TaskCommand> commands);
}
