namespace TaskQueue.Engine.Tasks;

/// <summary>What else happens when a task ends.</summary>
public sealed record CompletionActions
{
    /// <summary>Where the result of a success is posted to, as it is; null is nowhere. At most 2,048 characters.</summary>
    public string? CallbackUrl { get; init; }

    /// <summary>The process that holds a caller who waits for the end; set by adapters.</summary>
    public string? ReplyTo { get; init; }

    /// <summary>JSON text: where the lease of the last attempt expires, the task ends with this result instead of failing.</summary>
    public string? LeaseExpiryResult { get; init; }
}
