using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine;

/// <summary>Section <c>TaskQueue</c>: limits of the engine.</summary>
public sealed class EngineOptions
{
    /// <summary>Maximum payload of a task in bytes of UTF-8.</summary>
    /// <value>1 MiB; 1 KiB to 64 MiB.</value>
    [Range(1024, 64 * 1024 * 1024)]
    public int MaxPayloadBytes { get; set; } = 1024 * 1024;

    /// <summary>
    /// Maximum request of a batch item in bytes of UTF-8; <see cref="MaxPayloadBytes"/> counts if it is more. Items hold images, and inputs
    /// of embeddings.
    /// </summary>
    /// <value>16 MiB; 1 KiB to 64 MiB.</value>
    [Range(1024, 64 * 1024 * 1024)]
    public int MaxBatchItemBytes { get; set; } = 16 * 1024 * 1024;

    /// <summary>
    /// Maximum size of a message to the broker in bytes. Keep it below the broker's <c>max_message_size</c>: the broker closes the channel
    /// on a larger message, which stalls everything else on it.
    /// </summary>
    /// <value>16 MiB, the default of RabbitMQ 4; 256 KiB to 512 MiB.</value>
    [Range(256 * 1024, 512 * 1024 * 1024)]
    public int MaxMessageBytes { get; set; } = 16 * 1024 * 1024;

    /// <summary>Command groups that commit concurrently on PostgreSQL.</summary>
    /// <value>2; 1 to 16. More partitions mean smaller groups: worthwhile if commits wait long for the disk.</value>
    [Range(1, 16)]
    public int CommitPartitions { get; set; } = 2;

    /// <summary>Maximum submits and reports of a process waiting for the database; further ones get a 503.</summary>
    /// <value>16,384, a few seconds of work; 1,000 to 1,000,000.</value>
    [Range(1000, 1_000_000)]
    public int MaxWaiting { get; set; } = 16_384;

    /// <summary>
    /// Memory in bytes for the payloads and results that wait for the database, two bytes a character: a share of
    /// <c>TaskQueue:Limits:MemoryBytes</c>.
    /// </summary>
    /// <value>Null: an eighth of that limit. 1 MiB to 8 GiB, and at most half of the limit.</value>
    [Range(1L << 20, 8L << 30)]
    public long? MaxWaitingBytes { get; set; }

    /// <summary>Seconds that a submit or report may wait for its group to begin; then it gets a 503, and none of it was applied.</summary>
    /// <value>10; 1 to 300.</value>
    [Range(1, 300)]
    public int MaxWaitSeconds { get; set; } = 10;

    /// <summary>Retention of finished tasks in queues without their own setting.</summary>
    /// <value>7 days; at least 1 second. Format <c>d.hh:mm:ss</c>.</value>
    [Range(typeof(TimeSpan), "00:00:01", "3650.00:00:00")]
    public TimeSpan KeepFinished { get; set; } = DefaultKeepFinished;

    /// <summary>The maximum request of a batch item in effect.</summary>
    public int LargestBatchItem() => Math.Max(MaxPayloadBytes, MaxBatchItemBytes);

    internal static TimeSpan DefaultKeepFinished { get; } = TimeSpan.FromDays(7);
}
