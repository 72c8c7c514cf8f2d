namespace TaskQueue.Engine.Tasks;

/// <summary>Additional actions when a task ends.</summary>
public sealed record CompletionActions
{
    /// <summary>URL that receives the result of a success, unchanged; null sends none. At most 2,048 characters.</summary>
    public string? CallbackUrl { get; init; }

    /// <summary>The process of the caller that waits for the completion; set by adapters.</summary>
    public string? ReplyTo { get; init; }

    /// <summary>JSON text: if the lease of the last attempt expires, the task ends with this result instead of failing.</summary>
    public string? LeaseExpiryResult { get; init; }
}
