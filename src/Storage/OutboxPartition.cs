using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage;

/// <summary>A row of table <c>event_streams</c>: the offset of the outbox dispatcher in one partition.</summary>
public sealed class OutboxPartition
{
    /// <summary>0 to <see cref="TaskEvent.Streams"/> − 1.</summary>
    public int Id { get; set; }

    /// <summary>Id of the last published event; written at most once a second, so a new dispatcher may repeat some.</summary>
    public long Cursor { get; set; }
}
