namespace TaskQueue.Engine.Quotas;

/// <summary>Counts what tenants store, and reads the quotas of issued keys. Every method may throw the database's exceptions.</summary>
public interface IQuotaStore
{
    /// <summary>Quotas of issued keys that are neither revoked nor expired. Keys without a quota are omitted.</summary>
    /// <param name="now">The current time, UTC.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    Task<IReadOnlyList<KeyQuota>> ReadKeysAsync(DateTime now, CancellationToken cancellationToken);

    /// <summary>Counts the waiting tasks of a tenant: pending and retrying ones, including scheduled and blocked ones.</summary>
    /// <param name="tenant">Their owner.</param>
    /// <param name="max">The count stops at this number.</param>
    Task<int> CountWaitingTasksAsync(string tenant, int max);

    /// <summary>Counts the queues that a tenant has declared.</summary>
    Task<long> CountQueuesAsync(string tenant, CancellationToken cancellationToken);

    /// <summary>Counts the schedules of a tenant.</summary>
    Task<long> CountSchedulesAsync(string tenant, CancellationToken cancellationToken);

    /// <summary>Bytes of a tenant's files, including those reserved for uploads.</summary>
    Task<long> SumFileBytesAsync(string tenant);

    /// <summary>Reserves bytes for an upload, in the row of its file. Does nothing once the file is complete.</summary>
    /// <param name="fileId">The file.</param>
    /// <param name="bytes">New size; replaces the previous reservation.</param>
    Task ReserveFileBytesAsync(string fileId, long bytes);
}

/// <summary>The quota of an issued key.</summary>
/// <param name="KeyId">The key.</param>
/// <param name="Tenant">Its tenant.</param>
/// <param name="Text">Output of <see cref="QuotaLimits.ToText"/>; may be unreadable.</param>
public sealed record KeyQuota(Guid KeyId, string Tenant, string Text);
