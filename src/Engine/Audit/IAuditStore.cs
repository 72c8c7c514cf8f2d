namespace TaskQueue.Engine.Audit;

/// <summary>Writes, reads and removes audit records. Every method may throw the database's exceptions.</summary>
public interface IAuditStore
{
    /// <summary>Writes a record and sets its id.</summary>
    Task AddAsync(AuditRecord record);

    /// <summary>
    /// Writes records and sets their ids. A record that the database rejects does not prevent the others from being written.
    /// </summary>
    /// <returns>The rejected records; their id is 0.</returns>
    Task<IReadOnlyList<RefusedAuditRecord>> AddEachAsync(IReadOnlyList<AuditRecord> records);

    /// <summary>Replaces <see cref="AuditRecord.After"/> of a record.</summary>
    Task ReplaceAfterAsync(long id, string? after);

    /// <summary>Lists a page of records, newest first.</summary>
    /// <param name="filter">Selects the records.</param>
    /// <param name="after">Id of the last record of the previous page; null for the first page.</param>
    /// <param name="limit">Page size.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    Task<List<AuditRecord>> ListAsync(AuditFilter filter, long? after, int limit, CancellationToken cancellationToken);

    /// <summary>Removes records older than the given time.</summary>
    /// <param name="before">The time, UTC.</param>
    /// <param name="limit">Maximum number of records to remove.</param>
    /// <returns>Number of records removed.</returns>
    Task<int> RemoveAsync(DateTime before, int limit);
}

/// <summary>A record that the database rejected.</summary>
/// <param name="Record">The record.</param>
/// <param name="Fault">The database's exception.</param>
public sealed record RefusedAuditRecord(AuditRecord Record, Exception Fault);
