using System.Text.Json;
using System.Text.Json.Serialization;

namespace TaskQueue.Engine.Logs;

/// <summary>
/// A row of table <c>task_logs</c>: lines of an attempt that arrived together. A row has the totals of the rows before it, so the size of a
/// log is that of its last row.
/// </summary>
public sealed class TaskLogRow
{
    /// <summary>The task.</summary>
    public Guid TaskId { get; set; }

    /// <summary>Number of its first line within the task, from 1.</summary>
    public int Number { get; set; }

    /// <summary>Number of lines.</summary>
    public int Count { get; set; }

    /// <summary>Bytes of the messages of all rows before this one, also of dropped ones.</summary>
    public long BytesBefore { get; set; }

    /// <summary>Bytes of its messages.</summary>
    public int Bytes { get; set; }

    /// <summary>The attempt.</summary>
    public int Attempt { get; set; }

    /// <summary>JSON of the lines; encrypted where encryption is on.</summary>
    public string Lines { get; set; } = "";

    /// <summary>The lines as stored.</summary>
    internal static string ToText(IEnumerable<TaskLogLine> lines) =>
        JsonSerializer.Serialize(lines.Select(l => new StoredLogLine(Micros.FromTime(l.At), (int)l.Level, l.Message)),
            TaskLogJson.Default.IEnumerableStoredLogLine);

    /// <summary>The lines of the row.</summary>
    internal IEnumerable<TaskLogEntry> Read() =>
        (JsonSerializer.Deserialize(Lines, TaskLogJson.Default.StoredLogLineArray) ?? []).Select((l, i) =>
            new TaskLogEntry(Number + i, Attempt, new TaskLogLine(Micros.ToTime(l.At), (TaskLogLevel)l.Level, l.Message)));
}

/// <summary>A line as stored.</summary>
internal sealed record StoredLogLine(long At, int Level, string Message);

[JsonSerializable(typeof(IEnumerable<StoredLogLine>))]
[JsonSerializable(typeof(StoredLogLine[]))]
internal sealed partial class TaskLogJson : JsonSerializerContext;
