namespace TaskQueue.Engine.Quarantine;

/// <summary>How items of some kinds are put back and given up. Register one for each kind that needs more than its row removed.</summary>
public interface IQuarantineKind
{
    /// <summary>The kinds that it handles.</summary>
    IReadOnlyCollection<string> Kinds { get; }

    /// <summary>Puts the subject back, so that it is processed again.</summary>
    /// <returns>Null on success; else why not, and what to do instead. The item then stays listed.</returns>
    Task<string?> ReleaseAsync(QuarantinedItem item, CancellationToken cancellationToken);

    /// <summary>Gives the subject up.</summary>
    /// <returns>Null on success; else why not, and what to do instead. The item then stays listed.</returns>
    Task<string?> DropAsync(QuarantinedItem item, CancellationToken cancellationToken);
}

/// <summary>The kinds of this server.</summary>
public static class QuarantineKinds
{
    /// <summary>A running task whose expired lease cannot be recovered.</summary>
    public const string Lease = "lease";

    /// <summary>A waiting push task that cannot be dispatched.</summary>
    public const string Dispatch = "dispatch";

    /// <summary>A waiting task that cannot be expired.</summary>
    public const string Expiry = "expiry";

    /// <summary>An event that cannot be published.</summary>
    public const string Event = "event";

    /// <summary>A callback that cannot be sent or noted.</summary>
    public const string Callback = "callback";

    /// <summary>A batch that cannot be validated, split or finished.</summary>
    public const string Batch = "batch";

    /// <summary>A line of a batch that cannot be written to its files.</summary>
    public const string BatchItem = "batch_item";

    /// <summary>A schedule that cannot be fired.</summary>
    public const string Schedule = "schedule";

    /// <summary>A message of the bus that cannot be taken.</summary>
    public const string Message = "message";

    internal static IReadOnlyList<string> All { get; } = [Lease, Dispatch, Expiry, Event, Callback, Batch, BatchItem, Schedule, Message];
}
