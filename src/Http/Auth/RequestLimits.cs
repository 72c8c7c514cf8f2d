using System.Threading.RateLimiting;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Auth;

namespace TaskQueue.Http.Auth;

/// <summary>Counts requests: of each caller by time, and of the process at a time.</summary>
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

    /// <summary>A place for one more request, to be given back; null where places are not counted.</summary>
    public RateLimitLease? Enter() => _slots?.AttemptAcquire();

    /// <summary>Counts a request of a caller; how long to wait where there were too many.</summary>
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

    // Requests that hold a place of the limiter before keep it; it is not disposed, but left to them.
    private static ConcurrencyLimiter? SlotsOf(LimitOptions options) =>
        options.MaxConcurrentRequests is > 0 and var most
            ? new ConcurrencyLimiter(new ConcurrencyLimiterOptions { PermitLimit = most, QueueLimit = 0 }) : null;

    /// <summary>Keys of one tenant, name and rate share a bucket, so that a new key brings no second one.</summary>
    private readonly record struct Bucket(string? Tenant, string? Name, RequestRate Rate);
}
