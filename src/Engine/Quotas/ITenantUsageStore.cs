namespace TaskQueue.Engine.Quotas;

/// <summary>
/// Shares quota usage between processes: open streams, and token buckets of requests and of budgets. Every method may throw the
/// database's exceptions.
/// </summary>
public interface ITenantUsageStore
{
    /// <summary>Whether several processes may share the database. Otherwise there is nothing to exchange.</summary>
    bool IsShared { get; }

    /// <summary>Publishes the usage of this process and reads that of the others.</summary>
    Task<OtherProcesses> ExchangeAsync(ProcessUsage usage, CancellationToken cancellationToken);

    /// <summary>Removes usage published before a time, UTC.</summary>
    /// <returns>Number of rows removed.</returns>
    Task<int> RemoveStaleAsync(DateTime before, CancellationToken cancellationToken);

    /// <summary>Removes everything that a process has published.</summary>
    Task RemoveProcessAsync(string process, CancellationToken cancellationToken);

    /// <summary>Finds the token bucket of a tenant, or of a budget by its key; null if there is none.</summary>
    Task<SharedBucket?> FindBucketAsync(string tenant, CancellationToken cancellationToken);

    /// <summary>Adds a full token bucket; does nothing if another process has added it.</summary>
    /// <param name="tenant">The tenant.</param>
    /// <param name="now">The current time, UTC.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    Task AddBucketAsync(string tenant, DateTime now, CancellationToken cancellationToken);

    /// <summary>Replaces the state of a token bucket.</summary>
    /// <param name="tenant">The tenant.</param>
    /// <param name="bucket">The bucket as it was read.</param>
    /// <param name="spent">The new <see cref="SharedBucket.Spent"/>.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>False if another process changed it after it was read.</returns>
    Task<bool> TryUpdateBucketAsync(string tenant, SharedBucket bucket, long spent, CancellationToken cancellationToken);
}

/// <summary>Usage that a process publishes.</summary>
/// <param name="Process">Its name.</param>
/// <param name="Streams">Open streams by tenant; tenants without streams are omitted.</param>
/// <param name="At">The current time, UTC.</param>
/// <param name="Since">Processes that have not published since this time, UTC, are ignored.</param>
public sealed record ProcessUsage(string Process, IReadOnlyDictionary<string, long> Streams, DateTime At, DateTime Since);

/// <summary>Usage of the other processes.</summary>
/// <param name="Count">Number of processes.</param>
/// <param name="Streams">Total of their open streams, by tenant.</param>
public sealed record OtherProcesses(int Count, IReadOnlyDictionary<string, long> Streams);

/// <summary>A token bucket shared by all processes.</summary>
/// <param name="Spent">The time up to which tokens are spent, in Unix nanoseconds.</param>
/// <param name="Now">The database's time, UTC: a single clock, unlike those of the processes.</param>
public sealed record SharedBucket(long Spent, DateTime Now);
