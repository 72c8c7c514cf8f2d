namespace TaskQueue.Engine.Callbacks;

/// <summary>A row of table <c>webhook_receivers</c>: a receiver and whether it answered the challenge of an owner.</summary>
public sealed class WebhookReceiver
{
    /// <summary>Owner of the callbacks; empty is no owner.</summary>
    public string Owner { get; set; } = "";

    /// <summary>Scheme, host and port.</summary>
    public string Origin { get; set; } = "";

    /// <summary>When it answered the challenge, UTC; null until then.</summary>
    public DateTime? VerifiedAt { get; set; }

    /// <summary>When the challenge was last sent, UTC.</summary>
    public DateTime? ChallengedAt { get; set; }
}
