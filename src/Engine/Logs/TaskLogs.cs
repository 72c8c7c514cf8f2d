using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Logs;

/// <summary>
/// Writes what workers log, after the report that carries it is committed. A log that cannot be written fails no report: it is lost, and
/// this process logs so.
/// </summary>
public sealed partial class TaskLogs(ITaskLogStore store, DependencyHealth dependencies, ILogger<TaskLogs> logger)
{
    /// <summary>Appends lines of attempts that hold their lease.</summary>
    public async Task AppendAsync(IReadOnlyList<TaskLogChunk> chunks)
    {
        try
        {
            await store.AppendAsync(chunks, CancellationToken.None);
        }
#pragma warning disable CA1031 // the report is committed
        catch (Exception fault)
#pragma warning restore CA1031
        {
            if (!dependencies.TryHandle(fault))
                LogLost(fault, chunks.Count);
        }
    }

    [LoggerMessage(LogLevel.Warning, "The log lines of {Count} attempts could not be written and are lost")]
    private partial void LogLost(Exception fault, int count);
}
