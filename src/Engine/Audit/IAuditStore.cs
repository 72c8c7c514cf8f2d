namespace TaskQueue.Engine.Audit;

/// <summary>Writes, reads and removes audit records. Every method may throw what the database throws.</summary>
public interface IAuditStore
{
    /// <summary>Writes a record, and sets its id.</summary>
    Task AddAsync(AuditRecord record);

    /// <summary>Writes records, and sets their ids. One that the database refuses does not keep the others from being written.</summary>
    /// <returns>The refused ones; their id is 0.</returns>
    Task<IReadOnlyList<RefusedAuditRecord>> AddEachAsync(IReadOnlyList<AuditRecord> records);

    /// <summary>Replaces <see cref="AuditRecord.After"/> of a record.</summary>
    Task ReplaceAfterAsync(long id, string? after);

    /// <summary>A page, newest first.</summary>
    /// <param name="filter">Which.</param>
    /// <param name="after">Id of the last record of the page before; null is the first page.</param>
    /// <param name="limit">Length of the page.</param>
    /// <param name="cancellationToken">Stops the query.</param>
    Task<List<AuditRecord>> ListAsync(AuditFilter filter, long? after, int limit, CancellationToken cancellationToken);

    /// <summary>Removes records older than a time.</summary>
    /// <param name="before">UTC.</param>
    /// <param name="limit">At most this many.</param>
    /// <returns>Number of records removed.</returns>
    Task<int> RemoveAsync(DateTime before, int limit);
}

/// <summary>A record that the database refuses.</summary>
/// <param name="Record">The record.</param>
/// <param name="Fault">Why.</param>
public sealed record RefusedAuditRecord(AuditRecord Record, Exception Fault);
