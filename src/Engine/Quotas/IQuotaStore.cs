namespace TaskQueue.Engine.Quotas;

/// <summary>Counts what tenants store, and reads the quotas of issued keys. Every method may throw what the database throws.</summary>
public interface IQuotaStore
{
    /// <summary>The quotas of issued keys that are neither revoked nor expired. Keys without a quota are left out.</summary>
    /// <param name="now">UTC.</param>
    /// <param name="cancellationToken">Stops the query.</param>
    Task<IReadOnlyList<KeyQuota>> ReadKeysAsync(DateTime now, CancellationToken cancellationToken);

    /// <summary>Counts the waiting tasks of a tenant: pending and retrying ones, scheduled and blocked ones among them.</summary>
    /// <param name="tenant">Their owner.</param>
    /// <param name="max">The count stops there.</param>
    Task<int> CountWaitingTasksAsync(string tenant, int max);

    /// <summary>Counts the queues that a tenant has declared.</summary>
    Task<long> CountQueuesAsync(string tenant, CancellationToken cancellationToken);

    /// <summary>Counts the schedules of a tenant.</summary>
    Task<long> CountSchedulesAsync(string tenant, CancellationToken cancellationToken);

    /// <summary>Bytes of a tenant's files, with what is reserved for uploads.</summary>
    Task<long> SumFileBytesAsync(string tenant);

    /// <summary>Reserves bytes for an upload, in the row of its file. Does nothing once the file is complete.</summary>
    /// <param name="fileId">The file.</param>
    /// <param name="bytes">Its new size; replaces what was reserved before.</param>
    Task ReserveFileBytesAsync(string fileId, long bytes);
}

/// <summary>The quota of an issued key.</summary>
/// <param name="KeyId">The key.</param>
/// <param name="Tenant">Its tenant.</param>
/// <param name="Text">As <see cref="QuotaLimits.ToText"/> writes it; may be unreadable.</param>
public sealed record KeyQuota(Guid KeyId, string Tenant, string Text);
