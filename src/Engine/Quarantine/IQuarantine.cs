namespace TaskQueue.Engine.Quarantine;

/// <summary>Where what cannot be processed is set aside until an operator puts it back.</summary>
public interface IQuarantine
{
    /// <summary>Sets an item aside; one of the same kind and subject that is there already is counted.</summary>
    Task AddAsync(QuarantinedItem item, CancellationToken cancellationToken);
}
