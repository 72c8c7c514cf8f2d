using System.Threading.RateLimiting;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Auth;

namespace TaskQueue.Http.Auth;

/// <summary>Limits requests: a rate per caller, and a concurrency limit per process.</summary>
internal sealed class RequestLimits : IDisposable
{
    private readonly IOptionsMonitor<LimitOptions> _options;
    private readonly IDisposable? _watch;
    private readonly PartitionedRateLimiter<Bucket> _buckets = PartitionedRateLimiter.Create<Bucket, Bucket>(
        bucket => RateLimitPartition.GetTokenBucketLimiter(bucket, b => new TokenBucketRateLimiterOptions
        {
            TokenLimit = b.Rate.Burst ?? b.Rate.PerSecond,
            TokensPerPeriod = b.Rate.PerSecond,
            ReplenishmentPeriod = TimeSpan.FromSeconds(1),
            QueueLimit = 0,
        }));

    private volatile ConcurrencyLimiter? _slots;

    public RequestLimits(IOptionsMonitor<LimitOptions> options)
    {
        _options = options;
        _watch = options.OnChange((changed, _) => _slots = SlotsOf(changed));
        _slots = SlotsOf(options.CurrentValue);
    }

    /// <summary>Acquires a concurrency permit, to be disposed; null if concurrency is not limited.</summary>
    public RateLimitLease? Enter() => _slots?.AttemptAcquire();

    /// <summary>Counts a request of a caller; returns how long to wait if the rate is exceeded.</summary>
    public TimeSpan? Count(Caller caller)
    {
        if ((caller.Rate ?? _options.CurrentValue.Rate) is not { } rate)
            return null;
        using var lease = _buckets.AttemptAcquire(new Bucket(caller.Tenant, caller.Name, rate));
        if (lease.IsAcquired)
            return null;
        return lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : TimeSpan.FromSeconds(1);
    }

    public void Dispose()
    {
        _watch?.Dispose();
        _buckets.Dispose();
        _slots?.Dispose();
    }

    // Requests in flight keep their permit of the previous limiter, which is therefore not disposed.
    private static ConcurrencyLimiter? SlotsOf(LimitOptions options) =>
        options.MaxConcurrentRequests is > 0 and var most
            ? new ConcurrencyLimiter(new ConcurrencyLimiterOptions { PermitLimit = most, QueueLimit = 0 }) : null;

    /// <summary>Keys with the same tenant, name and rate share a bucket, so that a new key adds no capacity.</summary>
    private readonly record struct Bucket(string? Tenant, string? Name, RequestRate Rate);
}
