using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Quotas;

/// <summary>
/// The token bucket for a tenant's requests, shared by all processes. If the database does not answer, each process grants its share of the
/// limit locally. If no other process shares the database, the bucket is in memory.
/// </summary>
internal sealed class SharedTokens(string tenant, ITenantUsageStore store, ProcessPresence presence, QuotaMetrics metrics,
    DependencyHealth dependencies, TimeProvider time)
{
    private const int MaxTries = 10;

    /// <summary>Maximum wait of requests for the database.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);

    /// <summary>Pause after a database failure.</summary>
    private static readonly TimeSpan Spare = TimeSpan.FromSeconds(2);

    private long _spent; // of the local bucket
    private long? _failedAt;

    /// <summary>Leases tokens.</summary>
    public async Task<TokenGrant> LeaseAsync(long limit, long wanted)
    {
        if (!store.IsShared)
            return Local(limit, wanted);
        if (_failedAt is { } failed && time.GetElapsedTime(failed) < Spare)
            return Unshared(limit, wanted);
        using var patience = new CancellationTokenSource(Patience, time);
        try
        {
            var grant = await SharedAsync(limit, wanted, patience.Token);
            _failedAt = null;
            return grant;
        }
#pragma warning disable CA1031 // requests continue with the local share; operations that need the database report its failure
        catch (Exception fault)
#pragma warning restore CA1031
        {
            dependencies.TryHandle(fault);
            _failedAt = time.GetTimestamp();
            return Unshared(limit, wanted);
        }
    }

    /// <summary>Number of tokens that all processes have leased and that have not been refilled.</summary>
    public static async Task<long> UsedAsync(ITenantUsageStore store, string tenant, long limit, CancellationToken cancellationToken) =>
        await store.FindBucketAsync(tenant, cancellationToken) is { } bucket
            ? TokenBucket.Used(bucket.Spent, TokenBucket.Nanoseconds(bucket.Now), limit) : 0;

    /// <summary>Same for the local bucket.</summary>
    public long UsedHere(long limit) =>
        TokenBucket.Used(Volatile.Read(ref _spent), TokenBucket.Nanoseconds(time.GetUtcNow().UtcDateTime), limit);

    private TokenGrant Unshared(long limit, long wanted)
    {
        var grant = Local(Math.Max(1, limit / presence.Processes), wanted);
        metrics.Unshared(grant.Tokens);
        return grant;
    }

    private TokenGrant Local(long limit, long wanted)
    {
        var (grant, spent) = TokenBucket.Take(_spent, TokenBucket.Nanoseconds(time.GetUtcNow().UtcDateTime), limit, wanted);
        Volatile.Write(ref _spent, spent); // one lease at a time
        return grant;
    }

    private async Task<TokenGrant> SharedAsync(long limit, long wanted, CancellationToken cancellationToken)
    {
        var grant = new TokenGrant(0, TimeSpan.Zero);
        var isDone = await store.TryChangeAsync(tenant, MaxTries, (before, now) =>
        {
            (grant, var spent) = TokenBucket.Take(before, now, limit, wanted);
            return grant.Tokens == 0 ? null : spent;
        }, time, cancellationToken);
        return isDone ? grant : new TokenGrant(0, TimeSpan.Zero); // lost every race with other processes; the next lease follows soon
    }
}
