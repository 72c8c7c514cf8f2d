namespace TaskQueue.Engine.Quarantine;

/// <summary>Releases and drops items of some kinds. Register one for each kind that needs more than its row removed.</summary>
public interface IQuarantineKind
{
    /// <summary>The kinds that it handles.</summary>
    IReadOnlyCollection<string> Kinds { get; }

    /// <summary>Releases the subject, so that it is processed again.</summary>
    /// <returns>Null on success; otherwise why it failed and what to do instead. The item then stays listed.</returns>
    Task<string?> ReleaseAsync(QuarantinedItem item, CancellationToken cancellationToken);

    /// <summary>Drops the subject.</summary>
    /// <returns>Null on success; otherwise why it failed and what to do instead. The item then stays listed.</returns>
    Task<string?> DropAsync(QuarantinedItem item, CancellationToken cancellationToken);
}

/// <summary>The kinds of quarantined items.</summary>
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

    /// <summary>A callback that cannot be sent or recorded.</summary>
    public const string Callback = "callback";

    /// <summary>A batch that cannot be validated, expanded or finished.</summary>
    public const string Batch = "batch";

    /// <summary>A batch item that cannot be written to the files of its batch.</summary>
    public const string BatchItem = "batch_item";

    /// <summary>A schedule that cannot be fired.</summary>
    public const string Schedule = "schedule";

    /// <summary>A bus message that cannot be consumed.</summary>
    public const string Message = "message";

    internal static IReadOnlyList<string> All { get; } = [Lease, Dispatch, Expiry, Event, Callback, Batch, BatchItem, Schedule, Message];
}
