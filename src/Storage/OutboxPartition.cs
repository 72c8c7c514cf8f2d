using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage;

/// <summary>A row of table <c>event_streams</c>: how far the outbox dispatcher has come in one stream.</summary>
public sealed class OutboxPartition
{
    /// <summary>0 to <see cref="TaskEvent.Streams"/> − 1.</summary>
    public int Id { get; set; }

    /// <summary>The last event that was published; written at most once a second, so a new dispatcher may repeat some.</summary>
    public long Cursor { get; set; }
}
