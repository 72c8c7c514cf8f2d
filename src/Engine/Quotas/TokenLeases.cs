using System.Diagnostics.CodeAnalysis;

namespace TaskQueue.Engine.Quotas;

/// <summary>
/// The request tokens of one tenant in one process: leased in chunks from the shared bucket, spent from memory. A chunk is at most a
/// quarter second's worth of tokens, and adapts to the traffic.
/// </summary>
/// <param name="lease">Leases from the shared bucket, given the limit and the number of tokens wanted.</param>
/// <param name="time">The clock.</param>
internal sealed class TokenLeases(Func<long, long, Task<TokenGrant>> lease, TimeProvider time)
{
    private const int FirstShare = 20, LargestShare = 4, MaxRounds = 8;

    /// <summary>A chunk spent faster than this is followed by a larger one.</summary>
    private static readonly TimeSpan Fast = TimeSpan.FromMilliseconds(250);

    /// <summary>A chunk spent slower than this is followed by a smaller one.</summary>
    private static readonly TimeSpan Slow = TimeSpan.FromSeconds(1);

    /// <summary>Minimum time between two leases after the shared bucket was empty.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    private readonly Lock _lock = new();
    private Task? _leasing;
    private long _tokens, _chunk;
    private long? _leasedAt, _emptyUntil;

    /// <summary>Timestamp of the last request for a token.</summary>
    public long UsedAt { get; private set; } = time.GetTimestamp();

    /// <summary>Tokens leased and not yet spent.</summary>
    internal long Tokens
    {
        get
        {
            lock (_lock)
                return _tokens;
        }
    }

    /// <summary>Spends a token that is already leased.</summary>
    public bool TryTake(long limit)
    {
        lock (_lock)
        {
            UsedAt = time.GetTimestamp();
            _tokens = Math.Min(_tokens, limit);
            return TrySpend(limit);
        }
    }

    /// <summary>Spends a token; waits for a lease, and for further ones while other requests spend them faster.</summary>
    /// <returns>Null on success; otherwise the time until a token is available.</returns>
    public async Task<TimeSpan?> TakeAsync(long limit)
    {
        for (var round = 0; ; round++)
        {
            Task? leasing;
            lock (_lock)
            {
                if (TrySpend(limit))
                    return null;
                if (round == MaxRounds || !TryLease(limit, out leasing))
                    return Wait();
            }

            await leasing;
        }
    }

    private bool TrySpend(long limit)
    {
        if (_tokens == 0)
            return false;
        _tokens--;
        if (_tokens <= _chunk / 4)
            TryLease(limit, out _); // prefetch before the last one is spent
        return true;
    }

    private TimeSpan Wait() => _emptyUntil is { } until && until - time.GetTimestamp() is > 0 and var left
        ? TimeSpan.FromSeconds((double)left / time.TimestampFrequency) : Pause;

    /// <summary>Starts a lease, or returns the one in progress; false if the shared bucket was just empty.</summary>
    private bool TryLease(long limit, [NotNullWhen(true)] out Task? leasing)
    {
        leasing = _leasing;
        if (leasing is not null)
            return true;
        var now = time.GetTimestamp();
        if (_emptyUntil is { } until && now < until)
            return false;
        var most = Math.Max(1, limit / LargestShare);
        if (_leasedAt is not { } before)
            _chunk = limit / FirstShare;
        else if (time.GetElapsedTime(before, now) < Fast)
            _chunk *= 2;
        else if (time.GetElapsedTime(before, now) > Slow)
            _chunk /= 2;
        var wanted = _chunk = Math.Clamp(_chunk, 1, most);
        _leasedAt = now;
        _emptyUntil = null;
        leasing = _leasing = Task.Run(() => LeaseAsync(limit, wanted));
        return true;
    }

    private async Task LeaseAsync(long limit, long wanted)
    {
        var grant = await lease(limit, wanted);
        lock (_lock)
        {
            _tokens += grant.Tokens;
            if (grant.Tokens < wanted)
            {
                var pause = grant.RetryAfter > Pause ? grant.RetryAfter : Pause;
                _emptyUntil = time.GetTimestamp() + (long)(pause.TotalSeconds * time.TimestampFrequency);
            }

            _leasing = null;
        }
    }
}
