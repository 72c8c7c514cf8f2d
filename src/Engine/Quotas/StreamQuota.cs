using System.Collections.Concurrent;
using System.Collections.Frozen;
using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Engine.Quotas;

/// <summary>
/// Limits the event streams and waiting requests of a tenant, over all processes together. Each process counts its own and
/// publishes the count every few seconds; what others have opened since is not seen.
/// </summary>
public sealed class StreamQuota
{
    private const string Resource = "streams";

    /// <summary>Counts of processes that have stopped publishing are ignored after this.</summary>
    internal static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(15);

    private readonly ConcurrentDictionary<string, Count> _counts = new(StringComparer.Ordinal);
    private readonly TenantQuotas _quotas;
    private readonly ProcessPresence _presence;
    private readonly QuotaMetrics _metrics;
    private volatile FrozenDictionary<string, long> _others = FrozenDictionary<string, long>.Empty;

    internal StreamQuota(TenantQuotas quotas, ProcessPresence presence, QuotaMetrics metrics) => (_quotas, _presence, _metrics) = (quotas, presence, metrics);

    /// <summary>Called when a stream was opened.</summary>
    internal Action? OnOpen { get; set; }

    /// <summary>Whether this process has, or has published, any stream.</summary>
    internal bool IsActive => !_counts.IsEmpty;

    /// <summary>Counts a stream until the result is disposed; null where nobody's streams are counted.</summary>
    /// <exception cref="QuotaExceededException">There are as many as may be.</exception>
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

    /// <summary>Streams of a tenant: of this process, and of the others as of the last seconds.</summary>
    public long Used(string tenant) => OthersOf(tenant) + (_counts.TryGetValue(tenant, out var count) ? count.Open : 0);

    /// <summary>Publishes the counts of this process and reads those of the others.</summary>
    internal async Task ExchangeAsync(TaskDbContext db, DateTime now, CancellationToken cancellationToken)
    {
        var rows = await db.TenantUsage.Where(u => u.Resource == Resource && u.Process == _presence.Name).ToDictionaryAsync(u => u.Tenant, StringComparer.Ordinal, cancellationToken);
        foreach (var (tenant, count) in _counts)
        {
            if (count.Open > 0 && !rows.ContainsKey(tenant))
                db.TenantUsage.Add(rows[tenant] = new TenantUsage { Tenant = tenant, Resource = Resource, Process = _presence.Name });
            else if (count.Open == 0)
                RemoveIfIdle(tenant, count);
        }

        foreach (var (tenant, row) in rows)
        {
            if (_counts.TryGetValue(tenant, out var count) && count.Open is > 0 and var open)
                (row.Amount, row.UpdatedAt) = (open, now);
            else
                db.TenantUsage.Remove(row);
        }

        await db.SaveChangesAsync(cancellationToken);
        var since = now - MaxAge;
        var others = await db.TenantUsage.Where(u => u.Resource == Resource && u.Process != _presence.Name && u.UpdatedAt > since)
            .GroupBy(u => u.Tenant).Select(g => new { Tenant = g.Key, Open = g.Sum(u => u.Amount) }).ToListAsync(cancellationToken);
        _others = others.ToFrozenDictionary(o => o.Tenant, o => o.Open, StringComparer.Ordinal);
    }

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
