using System.Text;

namespace TaskQueue.Client;

/// <summary>Severity of a line in a task's log.</summary>
public enum TaskLogLevel
{
    /// <summary>Detail.</summary>
    Debug,

    /// <summary>Normal course.</summary>
    Info,

    /// <summary>Unexpected, and handled.</summary>
    Warning,

    /// <summary>Something failed.</summary>
    Error,
}

/// <summary>A logged line.</summary>
internal sealed record LogEntry(DateTimeOffset At, TaskLogLevel Level, string Message)
{
    public string Word => Level.ToString().ToLowerInvariant();
}

/// <summary>Lines that wait for the next heartbeat or report; the oldest are dropped when there are too many.</summary>
internal sealed class PendingLog
{
    private readonly Queue<(LogEntry Line, int Bytes)> _lines = new();
    private int _bytes;

    /// <summary>Whether a heartbeat should be sent soon.</summary>
    public bool IsHalfFull => _lines.Count >= LogText.MaxLines / 2 || _bytes >= LogText.MaxBytes / 2;

    public void Add(LogEntry line)
    {
        var bytes = Encoding.UTF8.GetByteCount(line.Message);
        _lines.Enqueue((line, bytes));
        _bytes += bytes;
        while (_lines.Count > LogText.MaxLines || _bytes > LogText.MaxBytes)
            _bytes -= _lines.Dequeue().Bytes;
    }

    /// <summary>Takes all lines; null if there are none.</summary>
    public IReadOnlyList<LogEntry>? Take()
    {
        if (_lines.Count == 0)
            return null;
        IReadOnlyList<LogEntry> taken = [.. _lines.Select(l => l.Line)];
        _lines.Clear();
        _bytes = 0;
        return taken;
    }

    /// <summary>Puts lines back before those that were added since.</summary>
    public void PutBack(IReadOnlyList<LogEntry> lines)
    {
        var newer = Take();
        foreach (var line in lines)
            Add(line);
        foreach (var line in newer ?? [])
            Add(line);
    }
}
