namespace TaskQueue.Engine.Callbacks;

/// <summary>Records which receivers have answered the challenge of which owner.</summary>
public interface IWebhookStore
{
    /// <summary>Finds a receiver; null if it was never challenged.</summary>
    /// <param name="owner">Owner of the callbacks; empty is no owner.</param>
    /// <param name="origin">The receiver: scheme, host and port.</param>
    Task<WebhookReceiver?> FindAsync(string owner, string origin);

    /// <summary>Acquires the right to challenge a receiver, which one process holds at a time.</summary>
    /// <param name="owner">Owner of the callbacks; empty is no owner.</param>
    /// <param name="origin">The receiver.</param>
    /// <param name="now">When the challenge is sent.</param>
    /// <param name="before">A process that challenged it later than this still holds the right.</param>
    Task<bool> TryChallengeAsync(string owner, string origin, DateTime now, DateTime before);

    /// <summary>Records that the receiver answered.</summary>
    Task VerifiedAsync(string owner, string origin, DateTime now);
}
