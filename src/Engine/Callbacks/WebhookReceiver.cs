namespace TaskQueue.Engine.Callbacks;

/// <summary>A row of table <c>webhook_receivers</c>: a receiver that answered the challenge of an owner, or has yet to.</summary>
public sealed class WebhookReceiver
{
    /// <summary>Owner of the callbacks; empty is nobody.</summary>
    public string Owner { get; set; } = "";

    /// <summary>Scheme, host and port.</summary>
    public string Origin { get; set; } = "";

    /// <summary>When it answered the challenge, UTC; null is not yet.</summary>
    public DateTime? VerifiedAt { get; set; }

    /// <summary>When the challenge was last sent, UTC.</summary>
    public DateTime? ChallengedAt { get; set; }
}
