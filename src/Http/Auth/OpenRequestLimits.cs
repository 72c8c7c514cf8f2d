using System.Threading.RateLimiting;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.Http.Auth;

/// <summary>
/// Limits requests that need no key: open routes and unknown paths. Each address has its own rate, so that a flooding address does
/// not lock out an orchestrator's probes; a concurrency limit applies to all of them together.
/// </summary>
internal sealed class OpenRequestLimits : IDisposable
{
    private static readonly ApiError Busy = new(503, "busy",
        "the server has reached its limit of concurrent requests of this kind; try again");
    private static readonly ApiError TooMany = new(429, "rate_limited",
        "too many requests from this address; try again later") { RetryAfter = TimeSpan.FromSeconds(1) };

    private readonly RequestDelegate _next;
    private readonly IDisposable? _watch;
    private volatile Limits _limits;

    public OpenRequestLimits(RequestDelegate next, IOptionsMonitor<LimitOptions> options)
    {
        _next = next;
        _watch = options.OnChange((changed, _) => _limits = new Limits(changed)); // requests in flight keep their old permit
        _limits = new Limits(options.CurrentValue);
    }

    public Task InvokeAsync(HttpContext context) =>
        context.GetEndpoint()?.Metadata.GetMetadata<NeededScope>() is { Scope: not Scope.None } ? _next(context) : AdmitAsync(context);

    public void Dispose() => _watch?.Dispose();

    private async Task AdmitAsync(HttpContext context)
    {
        var limits = _limits;
        using var count = limits.Rates?.AttemptAcquire(AuthFailures.KeyOf(context.Connection.RemoteIpAddress));
        // A caller that holds all permits must not make the orchestrator restart the process.
        var isProbe = context.GetEndpoint()?.Metadata.GetMetadata<OperationsRoute>() is not null;
        using var place = isProbe || count is { IsAcquired: false } ? null : limits.Places?.AttemptAcquire();
        if (count is { IsAcquired: false })
            await ApiErrors.AnswerAsync(context, TooMany);
        else if (place is { IsAcquired: false })
            await ApiErrors.AnswerAsync(context, Busy);
        else
            await _next(context);
    }

    private sealed class Limits(LimitOptions options)
    {
        public PartitionedRateLimiter<UInt128>? Rates { get; } = options.OpenPerSecond == 0 ? null
            : PartitionedRateLimiter.Create<UInt128, UInt128>(
            address => RateLimitPartition.GetTokenBucketLimiter(address, _ => new TokenBucketRateLimiterOptions
            {
                TokenLimit = 2 * options.OpenPerSecond,
                TokensPerPeriod = options.OpenPerSecond,
                ReplenishmentPeriod = TimeSpan.FromSeconds(1),
                QueueLimit = 0,
            }));

        public ConcurrencyLimiter? Places { get; } =
            options.MaxOpenRequests == 0 ? null
                : new(new ConcurrencyLimiterOptions { PermitLimit = options.MaxOpenRequests, QueueLimit = 0 });
    }
}
