namespace TaskQueue.Engine.Quarantine;

/// <summary>Sets aside what cannot be processed.</summary>
public interface IQuarantine
{
    /// <summary>
    /// Lists an item. One that is listed already (same kind and subject) gets the new reason and time, and its count grows.
    /// </summary>
    /// <returns>Why it could not be listed, which is in the log too; null on success.</returns>
    Task<Exception?> AddAsync(QuarantinedItem item, CancellationToken cancellationToken);
}
