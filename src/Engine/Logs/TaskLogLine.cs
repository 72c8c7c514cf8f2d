namespace TaskQueue.Engine.Logs;

/// <summary>Severity of a line in a task's log.</summary>
public enum TaskLogLevel
{
    /// <summary>Detail.</summary>
    Debug = 0,

    /// <summary>Normal course.</summary>
    Info = 1,

    /// <summary>Unexpected, and handled.</summary>
    Warning = 2,

    /// <summary>Something failed.</summary>
    Error = 3,
}

/// <summary>A line that a worker logged while it ran a task.</summary>
/// <param name="At">When, by the worker's clock.</param>
/// <param name="Level">Severity.</param>
/// <param name="Message">The text.</param>
public sealed record TaskLogLine(DateTime At, TaskLogLevel Level, string Message);

/// <summary>Lines of one attempt that arrived together.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="Attempt">The attempt that logged them.</param>
/// <param name="Lines">The lines, oldest first; at least one.</param>
public sealed record TaskLogChunk(Guid TaskId, int Attempt, IReadOnlyList<TaskLogLine> Lines);

/// <summary>A line of a task's log as it is read.</summary>
/// <param name="Number">Number of the line within the task, from 1; dropped lines leave a gap.</param>
/// <param name="Attempt">The attempt that logged it.</param>
/// <param name="Line">The line.</param>
public sealed record TaskLogEntry(long Number, int Attempt, TaskLogLine Line);
