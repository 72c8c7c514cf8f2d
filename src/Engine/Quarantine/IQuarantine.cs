namespace TaskQueue.Engine.Quarantine;

/// <summary>Quarantines what cannot be processed.</summary>
public interface IQuarantine
{
    /// <summary>
    /// Lists an item. An item already listed (same kind and subject) gets the new reason and time, and its count is incremented.
    /// </summary>
    /// <returns>Why it could not be listed, which is also logged; null on success.</returns>
    Task<Exception?> AddAsync(QuarantinedItem item, CancellationToken cancellationToken);
}
