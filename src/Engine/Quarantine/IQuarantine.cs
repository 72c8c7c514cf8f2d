namespace TaskQueue.Engine.Quarantine;

/// <summary>Sets aside what cannot be processed.</summary>
public interface IQuarantine
{
    /// <summary>
    /// Lists an item. One that is listed already (same kind and subject) gets the new reason and time, and its count grows. Never
    /// throws: a failure is logged.
    /// </summary>
    Task AddAsync(QuarantinedItem item, CancellationToken cancellationToken);
}
