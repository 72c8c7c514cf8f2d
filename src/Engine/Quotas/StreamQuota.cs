using System.Collections.Concurrent;
using System.Collections.Frozen;

namespace TaskQueue.Engine.Quotas;

/// <summary>
/// Limits the event streams and waiting requests of a tenant over all processes. Each process counts its own and publishes the count every
/// few seconds, so streams that others opened since are not seen.
/// </summary>
public sealed class StreamQuota
{
    /// <summary>Age after which counts of processes that stopped publishing are ignored.</summary>
    internal static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(15);

    private readonly ConcurrentDictionary<string, Count> _counts = new(StringComparer.Ordinal);
    private readonly TenantQuotas _quotas;
    private readonly QuotaMetrics _metrics;
    private volatile FrozenDictionary<string, long> _others = FrozenDictionary<string, long>.Empty;

    internal StreamQuota(TenantQuotas quotas, QuotaMetrics metrics) => (_quotas, _metrics) = (quotas, metrics);

    /// <summary>Called when a stream is opened.</summary>
    internal Action? OnOpen { get; set; }

    /// <summary>Whether this process has, or has published, any stream.</summary>
    internal bool IsActive => !_counts.IsEmpty;

    /// <summary>Counts a stream until the result is disposed; null if there is no tenant to count it for.</summary>
    /// <exception cref="QuotaExceededException">The limit on streams is reached.</exception>
    public IDisposable? Open(string? tenant)
    {
        if (tenant is null)
            return null;
        var limit = _quotas.Of(tenant).Streams;
        while (true)
        {
            var count = _counts.GetOrAdd(tenant, _ => new Count());
            lock (count)
            {
                if (count.IsRemoved)
                    continue;
                if (limit is { } most && count.Open + OthersOf(tenant) is var used && used >= most)
                    throw _metrics.Refused(new QuotaExceededException(QuotaResource.Streams, tenant, most, used, TimeSpan.FromSeconds(1)));
                count.Open++;
            }

            OnOpen?.Invoke();
            return new Stream(count);
        }
    }

    /// <summary>Streams of a tenant: those of this process now, and those of the others as last published.</summary>
    public long Used(string tenant) => OthersOf(tenant) + (_counts.TryGetValue(tenant, out var count) ? count.Open : 0);

    /// <summary>Open streams of this process by tenant, for publishing; evicts tenants without streams.</summary>
    internal Dictionary<string, long> Counts()
    {
        var open = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var (tenant, count) in _counts)
        {
            if (count.Open is > 0 and var streams)
                open[tenant] = streams;
            else
                RemoveIfIdle(tenant, count);
        }

        return open;
    }

    /// <summary>Sets the open streams of the other processes.</summary>
    internal void SetOthers(IReadOnlyDictionary<string, long> streams) => _others = streams.ToFrozenDictionary(StringComparer.Ordinal);

    private long OthersOf(string tenant) => _others.GetValueOrDefault(tenant);

    private void RemoveIfIdle(string tenant, Count count)
    {
        lock (count)
        {
            if (count.Open > 0)
                return;
            count.IsRemoved = true;
            _counts.TryRemove(tenant, out _);
        }
    }

    private sealed class Count
    {
        public long Open { get; set; }

        public bool IsRemoved { get; set; }
    }

    private sealed class Stream(Count count) : IDisposable
    {
        private Count? _count = count;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _count, null) is not { } open)
                return;
            lock (open)
                open.Open--;
        }
    }
}
