using System.Text;

namespace TaskQueue.Engine.Logs;

/// <summary>Limits of a task's log.</summary>
public static class TaskLogRules
{
    /// <summary>Lines in one report or heartbeat of an attempt.</summary>
    public const int MaxReportLines = 100;

    /// <summary>Lines kept of a task, over all its attempts.</summary>
    public const int MaxLines = 1000;

    /// <summary>UTF-8 bytes of messages kept of a task, over all its attempts; also the limit of one report.</summary>
    public const int MaxBytes = 64 * 1024;

    /// <summary>The rule for lines, for error messages.</summary>
    public static readonly string Rule =
        $"logs must have at most {MaxReportLines} lines, each with a message of 1 or more characters, and {MaxBytes} bytes of messages";

    /// <summary>The word of a level.</summary>
    public static string Word(TaskLogLevel level) => level.ToString().ToLowerInvariant();

    /// <summary>The level with a name, or null; no name is info.</summary>
    public static TaskLogLevel? ParseLevel(string? word) => word switch
    {
        null or "info" => TaskLogLevel.Info,
        "debug" => TaskLogLevel.Debug,
        "warning" => TaskLogLevel.Warning,
        "error" => TaskLogLevel.Error,
        _ => null,
    };

    /// <summary>UTF-8 bytes of the messages.</summary>
    public static int BytesOf(IEnumerable<TaskLogLine> lines) => lines.Sum(l => Encoding.UTF8.GetByteCount(l.Message));

    /// <summary>
    /// The newest lines within the limits, for reports whose outcome must not be lost for their logs; null if none are left. A longer
    /// message is cut.
    /// </summary>
    public static IReadOnlyList<TaskLogLine>? Bound(IEnumerable<TaskLogLine>? lines)
    {
        if (lines is null)
            return null;
        var bytes = 0;
        var kept = new List<TaskLogLine>();
        foreach (var line in lines.Where(l => l.Message.Length > 0).TakeLast(MaxReportLines).Reverse())
        {
            var message = TextRules.Clean(TextRules.Cut(line.Message, MaxBytes / 4))!;
            bytes += Encoding.UTF8.GetByteCount(message);
            if (bytes > MaxBytes)
                break;
            kept.Add(line with { Message = message });
        }

        kept.Reverse();
        return kept.Count > 0 ? kept : null;
    }
}
