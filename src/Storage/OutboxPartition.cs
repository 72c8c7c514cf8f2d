using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage;

/// <summary>A row of table <c>outbox_partitions</c>: the offset of the outbox dispatcher in one partition.</summary>
public sealed class OutboxPartition
{
    /// <summary>0 to <see cref="TaskEvent.Partitions"/> − 1.</summary>
    public int Id { get; set; }

    /// <summary>Id of the last row that was published; written at most once a second, so a new dispatcher may repeat some.</summary>
    public long Offset { get; set; }
}
