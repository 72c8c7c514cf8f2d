using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine;

/// <summary>Section <c>TaskQueue</c>: what the engine needs to know.</summary>
public sealed class EngineOptions
{
    /// <summary>Largest payload of one task in bytes of UTF-8.</summary>
    /// <value>1 MiB; 1 KiB to 64 MiB.</value>
    [Range(1024, 64 * 1024 * 1024)]
    public int MaxPayloadBytes { get; set; } = 1024 * 1024;

    /// <summary>Groups of commands that commit side by side on PostgreSQL.</summary>
    /// <value>2; 1 to 16. More lanes mean smaller groups: worth it where a commit waits long for its disk.</value>
    [Range(1, 16)]
    public int CommitLanes { get; set; } = 2;

    /// <summary>How long finished tasks stay readable, where their queue does not say it.</summary>
    /// <value>7 days; at least a second. As <c>d.hh:mm:ss</c>.</value>
    [Range(typeof(TimeSpan), "00:00:01", "3650.00:00:00")]
    public TimeSpan KeepFinished { get; set; } = DefaultKeepFinished;

    internal static TimeSpan DefaultKeepFinished { get; } = TimeSpan.FromDays(7);
}
