using System.Collections.Concurrent;

namespace TaskQueue.Engine.Quotas;

/// <summary>
/// Limits the bytes of a tenant's files. An upload reserves bytes in its own row before it writes, then sums all rows of the tenant: of two
/// concurrent uploads, in any process, at least one sees the other.
/// </summary>
public sealed class FileQuota(TenantQuotas quotas, IQuotaStore store, QuotaMetrics metrics, TimeProvider time)
{
    /// <summary>Bytes that an upload reserves at a time.</summary>
    private const long Chunk = 4 * 1024 * 1024;

    /// <summary>How long a sum is cached while it is far from the limit.</summary>
    private static readonly TimeSpan SumAge = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan Idle = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<string, Sum> _sums = new(StringComparer.Ordinal);

    /// <summary>Checks whether an upload may begin.</summary>
    /// <param name="tenant">Its owner.</param>
    /// <param name="bytes">Minimum size of the upload.</param>
    /// <exception cref="QuotaExceededException">The quota has no room for it.</exception>
    public async Task DemandAsync(string? tenant, long bytes)
    {
        if (tenant is not null && quotas.Of(tenant).FileBytes is { } limit
            && await UsedAsync(tenant, limit, Math.Max(1, bytes)) is var used && used > limit - Math.Max(1, bytes))
            throw Refused(tenant, limit, used);
    }

    /// <summary>Bytes of a tenant's files, including those reserved for uploads.</summary>
    public Task<long> UsedAsync(string tenant) => store.SumFileBytesAsync(tenant);

    /// <summary>Evicts the sums of tenants without recent uploads.</summary>
    internal void Prune()
    {
        foreach (var (tenant, sum) in _sums)
        {
            if (time.GetElapsedTime(sum.At) >= Idle)
                _sums.TryRemove(tenant, out _);
        }
    }

    /// <summary>Reserves bytes for a growing upload.</summary>
    /// <param name="tenant">Its owner.</param>
    /// <param name="fileId">Its row.</param>
    /// <param name="reserved">Bytes reserved so far.</param>
    /// <param name="needed">Bytes required.</param>
    /// <returns>Bytes reserved now, at least <paramref name="needed"/>.</returns>
    /// <exception cref="QuotaExceededException">The quota has no room.</exception>
    internal async Task<long> GrowAsync(string? tenant, string fileId, long reserved, long needed)
    {
        if (tenant is null || quotas.Of(tenant).FileBytes is not { } limit)
            return long.MaxValue;
        var wanted = Math.Max(needed, reserved + Chunk);
        await store.ReserveFileBytesAsync(fileId, wanted);
        var used = await UsedAsync(tenant, limit, wanted - reserved, isReserved: true);
        if (used <= limit)
            return wanted;
        // A full chunk does not fit, but the required bytes may.
        await store.ReserveFileBytesAsync(fileId, needed);
        _sums.TryRemove(tenant, out _);
        used = await UsedAsync(tenant, limit, 0);
        return used <= limit ? needed : throw Refused(tenant, limit, used - needed);
    }

    /// <summary>The exact sum, or a cached one while it is below half of the limit.</summary>
    private async Task<long> UsedAsync(string tenant, long limit, long more, bool isReserved = false)
    {
        if (_sums.TryGetValue(tenant, out var known) && time.GetElapsedTime(known.At) < SumAge
            && known.Add(isReserved ? more : 0) is var sum && sum + more <= limit / 2)
            return sum;
        var at = time.GetTimestamp();
        var exact = await UsedAsync(tenant);
        _sums[tenant] = new Sum(exact, at);
        return exact;
    }

    private QuotaExceededException Refused(string tenant, long limit, long used) =>
        metrics.Refused(new QuotaExceededException(QuotaResource.FileBytes, tenant, limit, used));

    private sealed class Sum(long bytes, long at)
    {
        private long _bytes = bytes;

        public long At => at;

        /// <summary>Adds what this process has reserved since the sum was read.</summary>
        public long Add(long more) => Interlocked.Add(ref _bytes, more);
    }
}
