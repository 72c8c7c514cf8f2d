using System.Collections.Concurrent;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Quotas;

/// <summary>Limits the requests of a tenant over all processes; see <see cref="TokenLeases"/>.</summary>
public sealed class RequestQuota
{
    private static readonly TimeSpan Idle = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<string, Bucket> _buckets = new(StringComparer.Ordinal);
    private readonly TenantQuotas _quotas;
    private readonly ITenantUsageStore _store;
    private readonly QuotaMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly Func<string, Bucket> _make;

    internal RequestQuota(
        TenantQuotas quotas, ITenantUsageStore store, ProcessPresence presence, QuotaMetrics metrics, DependencyHealth dependencies,
        TimeProvider time)
    {
        (_quotas, _store, _metrics, _time) = (quotas, store, metrics, time);
        _make = tenant =>
        {
            var shared = new SharedTokens(tenant, store, presence, metrics, dependencies, time);
            return new(shared, new TokenLeases(shared.LeaseAsync, time));
        };
    }

    /// <summary>Whether this process counts requests of any tenant.</summary>
    internal bool IsActive => !_buckets.IsEmpty;

    /// <summary>Counts a request.</summary>
    /// <returns>Null if allowed; otherwise the refusal.</returns>
    public ValueTask<QuotaExceededException?> CountAsync(string? tenant)
    {
        if (tenant is null || _quotas.Of(tenant).RequestsPerSecond is not { } limit)
            return default;
        var leases = _buckets.GetOrAdd(tenant, _make).Leases;
        return leases.TryTake(limit) ? default : new(LeaseAsync(leases, tenant, limit));
    }

    /// <summary>Number of requests of about the last second.</summary>
    internal async Task<long> UsedAsync(string tenant, long limit, CancellationToken cancellationToken) =>
        _store.IsShared ? await SharedTokens.UsedAsync(_store, tenant, limit, cancellationToken)
        : _buckets.TryGetValue(tenant, out var bucket) ? bucket.Shared.UsedHere(limit) : 0;

    /// <summary>Evicts tenants without recent requests.</summary>
    internal void Prune()
    {
        foreach (var (tenant, bucket) in _buckets)
        {
            if (_time.GetElapsedTime(bucket.Leases.UsedAt) >= Idle)
                _buckets.TryRemove(tenant, out _);
        }
    }

    private async Task<QuotaExceededException?> LeaseAsync(TokenLeases leases, string tenant, long limit) =>
        await leases.TakeAsync(limit) is { } wait
            ? _metrics.Refused(new QuotaExceededException(QuotaResource.RequestsPerSecond, tenant, limit, limit, wait)) : null;

    private sealed record Bucket(SharedTokens Shared, TokenLeases Leases);
}
