namespace TaskQueue.Engine.Quotas;

/// <summary>
/// What processes tell each other about the use of quotas: open streams, and the token buckets of requests. Every method may throw
/// what the database throws.
/// </summary>
public interface ITenantUsageStore
{
    /// <summary>Whether several processes may share the database. If not, there is nothing to exchange.</summary>
    bool IsShared { get; }

    /// <summary>Publishes this process and its streams, and reads the others.</summary>
    Task<OtherProcesses> ExchangeAsync(ProcessUsage usage, CancellationToken cancellationToken);

    /// <summary>Removes what processes published before a time, UTC.</summary>
    /// <returns>Number of rows.</returns>
    Task<int> RemoveStaleAsync(DateTime before, CancellationToken cancellationToken);

    /// <summary>Removes all that a process has published.</summary>
    Task RemoveProcessAsync(string process, CancellationToken cancellationToken);

    /// <summary>The token bucket of a tenant, or null.</summary>
    Task<SharedBucket?> FindBucketAsync(string tenant, CancellationToken cancellationToken);

    /// <summary>Adds a full token bucket; does nothing where another process has added it.</summary>
    /// <param name="tenant">The tenant.</param>
    /// <param name="now">UTC.</param>
    /// <param name="cancellationToken">Stops the statement.</param>
    Task AddBucketAsync(string tenant, DateTime now, CancellationToken cancellationToken);

    /// <summary>Replaces the state of a token bucket.</summary>
    /// <param name="tenant">The tenant.</param>
    /// <param name="bucket">As it was read.</param>
    /// <param name="spent">The new <see cref="SharedBucket.Spent"/>.</param>
    /// <param name="cancellationToken">Stops the statement.</param>
    /// <returns>False if another process has changed it since it was read.</returns>
    Task<bool> TryUpdateBucketAsync(string tenant, SharedBucket bucket, long spent, CancellationToken cancellationToken);
}

/// <summary>What a process publishes.</summary>
/// <param name="Process">Its name.</param>
/// <param name="Streams">Its open streams by tenant; only tenants that have some.</param>
/// <param name="At">The time, UTC.</param>
/// <param name="Since">Other processes count only if they have published since, UTC.</param>
public sealed record ProcessUsage(string Process, IReadOnlyDictionary<string, long> Streams, DateTime At, DateTime Since);

/// <summary>The other processes.</summary>
/// <param name="Count">Number of processes.</param>
/// <param name="Streams">Their open streams together, by tenant.</param>
public sealed record OtherProcesses(int Count, IReadOnlyDictionary<string, long> Streams);

/// <summary>The token bucket that all processes share.</summary>
/// <param name="Spent">The time up to which tokens are spent, in Unix nanoseconds.</param>
/// <param name="Now">The time of the database, UTC: processes' clocks differ, the database's is one.</param>
public sealed record SharedBucket(long Spent, DateTime Now);
