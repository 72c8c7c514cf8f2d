using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine;

/// <summary>Section <c>TaskQueue</c>: what the engine needs to know.</summary>
public sealed class EngineOptions
{
    /// <summary>Largest payload of one task in bytes of UTF-8.</summary>
    /// <value>1 MiB; 1 KiB to 64 MiB.</value>
    [Range(1024, 64 * 1024 * 1024)]
    public int MaxPayloadBytes { get; set; } = 1024 * 1024;

    /// <summary>
    /// Largest message in bytes that is sent to the broker. A broker closes the channel over a larger one than its own
    /// <c>max_message_size</c> allows, and everything else on it waits: keep this below.
    /// </summary>
    /// <value>16 MiB, the default of RabbitMQ 4; 256 KiB to 512 MiB.</value>
    [Range(256 * 1024, 512 * 1024 * 1024)]
    public int MaxMessageBytes { get; set; } = 16 * 1024 * 1024;

    /// <summary>Groups of commands that commit side by side on PostgreSQL.</summary>
    /// <value>2; 1 to 16. More partitions mean smaller groups: worth it where a commit waits long for its disk.</value>
    [Range(1, 16)]
    public int CommitPartitions { get; set; } = 2;

    /// <summary>Tasks and reports of a process that may wait for the database at a time; more are answered 503.</summary>
    /// <value>16,384, some seconds of work; 1,000 to 1,000,000.</value>
    [Range(1000, 1_000_000)]
    public int MaxWaiting { get; set; } = 16_384;

    /// <summary>
    /// Memory of their payloads and results in bytes, two for each character: a part of <c>TaskQueue:Limits:MemoryBytes</c>.
    /// </summary>
    /// <value>Null: an eighth of that. 1 MiB to 8 GiB, and at most half of it.</value>
    [Range(1L << 20, 8L << 30)]
    public long? MaxWaitingBytes { get; set; }

    /// <summary>How long a task or report may wait for its group to begin; then it is answered 503, and nothing of it was done.</summary>
    /// <value>10; 1 to 300.</value>
    [Range(1, 300)]
    public int MaxWaitSeconds { get; set; } = 10;

    /// <summary>How long finished tasks stay readable, where their queue does not say it.</summary>
    /// <value>7 days; at least a second. As <c>d.hh:mm:ss</c>.</value>
    [Range(typeof(TimeSpan), "00:00:01", "3650.00:00:00")]
    public TimeSpan KeepFinished { get; set; } = DefaultKeepFinished;

    internal static TimeSpan DefaultKeepFinished { get; } = TimeSpan.FromDays(7);
}
