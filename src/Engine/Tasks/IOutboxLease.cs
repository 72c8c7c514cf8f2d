namespace TaskQueue.Engine.Tasks;

/// <summary>The lease of the one outbox dispatcher of the database.</summary>
public interface IOutboxLease : IAsyncDisposable
{
    /// <summary>Fails when the lease is lost; a process that was frozen notices it only then.</summary>
    Task Lost { get; }

    /// <summary>
    /// Whether no other process can have the lease now, by this process's own clock. Nothing may be published otherwise.
    /// </summary>
    bool IsHeld { get; }

    /// <summary>Saves the offsets of all partitions; has no effect once another process has the lease.</summary>
    Task SaveOffsetsAsync(long[] offsets);
}

/// <summary>The answer to a process that would like to dispatch the outbox.</summary>
/// <param name="Lease">Null if another process has it.</param>
/// <param name="Holder">Where that process is told of committed events; null if it finds them by itself.</param>
public sealed record OutboxLeaseAnswer(IOutboxLease? Lease, string? Holder);
