using TaskQueue.Engine.Logs;

namespace TaskQueue.Storage.Logs;

/// <summary>The statement that adds lines to the logs of tasks, implemented by each provider.</summary>
public interface ITaskLogWrites
{
    /// <summary>Adds rows as they are, all or none.</summary>
    /// <param name="rows">The rows, in order of task and number.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <returns>False if another process has taken a number meanwhile: nothing was added.</returns>
    Task<bool> AddLogsAsync(IReadOnlyList<TaskLogRow> rows, CancellationToken cancellationToken);
}
