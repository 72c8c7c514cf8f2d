namespace TaskQueue.Engine.Callbacks;

/// <summary>
/// A row of table <c>callbacks</c>: a result that is owed to a URL. Written in the transaction that ends its task or batch, so
/// none is lost and none is sent for an end that did not happen.
/// </summary>
public sealed class Callback
{
    /// <summary>Drawn by the database.</summary>
    public long Id { get; set; }

    /// <summary>The task or batch that ended.</summary>
    public Guid SubjectId { get; set; }

    /// <summary>Where to.</summary>
    public string Url { get; set; } = "";

    /// <summary>JSON text, sent as it is.</summary>
    public string Body { get; set; } = "";

    /// <summary>How it stands.</summary>
    public CallbackState State { get; set; }

    /// <summary>Tries so far, those under way among them.</summary>
    public int Attempts { get; set; }

    /// <summary>When it is tried next; while a try is under way, when that is given up.</summary>
    public DateTime DueAt { get; set; }

    /// <summary>JSON list of the tries so far: the delivery log.</summary>
    public string Log { get; set; } = "[]";

    /// <summary>When its task or batch ended, UTC.</summary>
    public DateTime CreatedAt { get; set; }

    /// <summary>When it was delivered or given up, UTC.</summary>
    public DateTime? FinishedAt { get; set; }

    /// <summary>Owner of its task or batch; null is nobody.</summary>
    public string? Owner { get; set; }

    /// <summary>Scheme, host and port of <see cref="Url"/>; null for callbacks from before it was kept.</summary>
    public string? Origin { get; set; }
}

/// <summary>How a callback stands.</summary>
public enum CallbackState
{
    /// <summary>To be sent, for the first time or again.</summary>
    Waiting = 0,

    /// <summary>The receiver answered 2xx.</summary>
    Delivered = 1,

    /// <summary>The receiver refused it, or no try was left.</summary>
    Failed = 2,
}
