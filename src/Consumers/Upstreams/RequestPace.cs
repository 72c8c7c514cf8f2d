using System.Runtime.InteropServices;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>Permission to send a request.</summary>
/// <param name="Wait">For how long it was deferred instead; zero: the request may be sent now.</param>
/// <param name="Epoch">Number of refusals before the request was sent.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct PaceTurn(TimeSpan Wait, long Epoch);

/// <summary>
/// The pace of requests that share a limit of the upstream: unlimited until the upstream refuses one for now. Then all pause, continue
/// with single requests until one is answered, and from there at a learned rate: lowered by each refusal, raised a little by each answer.
/// A server that was away restarts at a low rate that doubles. Several processes converge to their shares of the same limit.
/// </summary>
internal sealed class RequestPace(TimeProvider time)
{
    /// <summary>The share of the observed rate that is kept after a refusal.</summary>
    private const double Kept = 0.75;

    /// <summary>Requests a second: the lowest rate, and the rate above which there is no limit to learn.</summary>
    private const double Lowest = 0.05, Unlimited = 5000;

    /// <summary>In each second at a rate, it grows by this share of the lowered rate, and at least by <see cref="Lowest"/>.</summary>
    private const double Growth = 0.02;

    /// <summary>Seconds over which the rate of answers is observed.</summary>
    private const double Memory = 5;

    /// <summary>Time between requests until one is answered after a refusal.</summary>
    private static readonly TimeSpan Probe = TimeSpan.FromSeconds(1);

    /// <summary>Requests a second once one is answered, if no rate is known: a server that has just come back is not overrun.</summary>
    private const double Restart = 2;

    /// <summary>Longest place in the line of those that do not wait here.</summary>
    private static readonly TimeSpan LongestLine = TimeSpan.FromMinutes(10);

    private const long Never = long.MinValue / 2;

    private readonly Lock _lock = new();
    private TaskCompletionSource _changed = NewSignal();
    private double? _rate;
    private double _growth, _answers;
    private long _next = Never, _pausedUntil = Never, _epoch;
    private long _last = Never; // the last turn that was used
    private long _line = Never, _onlineLine = Never; // the next free places of those that do not wait here
    private long _began = time.GetTimestamp(), _observed = time.GetTimestamp();
    private int _refusals;
    private bool _isRestarting; // the rate doubles each second until it is refused or without a limit
    private string? _reason;

    /// <summary>Why the last request was refused; null after an answer.</summary>
    public string? Reason
    {
        get
        {
            lock (_lock)
                return _reason;
        }
    }

    /// <summary>Requests a second; null: no limit is known.</summary>
    public double? Rate
    {
        get
        {
            lock (_lock)
                return _rate;
        }
    }

    /// <summary>Whether the last request was refused: those that follow only try whether it is over.</summary>
    public bool IsRefused
    {
        get
        {
            lock (_lock)
                return _refusals > 0;
        }
    }

    /// <summary>How long requests still pause.</summary>
    public TimeSpan Pause
    {
        get
        {
            lock (_lock)
                return Until(_pausedUntil, time.GetTimestamp());
        }
    }

    /// <summary>
    /// How long no further request is taken: while all pause, between those that try whether the upstream still refuses, and while the line
    /// for a turn is longer than the patience. Zero: one would have its turn within the patience.
    /// </summary>
    public TimeSpan ClosedFor(TimeSpan patience)
    {
        lock (_lock)
        {
            var now = time.GetTimestamp();
            var wait = Until(Math.Max(_next, _pausedUntil), now);
            return _refusals > 0 || _pausedUntil > now || wait > patience ? wait : TimeSpan.Zero;
        }
    }

    /// <summary>Waits as one whose caller does not wait.</summary>
    public Task<PaceTurn> EnterAsync(TimeSpan patience, Action<TimeSpan>? waits, CancellationToken cancellationToken) =>
        EnterAsync(patience, isOnline: false, waits, cancellationToken);

    /// <summary>Waits until a request may be sent, in order of arrival. A wait that is cancelled gives its turn back.</summary>
    /// <param name="patience">Longest wait; a longer one is returned instead, as a place in a line that moves twice as fast.</param>
    /// <param name="isOnline">Whether a caller waits: such requests have a line of their own.</param>
    /// <param name="waits">Called before each wait; null: nobody.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<PaceTurn> EnterAsync(TimeSpan patience, bool isOnline, Action<TimeSpan>? waits, CancellationToken cancellationToken)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Task changed;
            TimeSpan wait;
            PaceTurn turn;
            lock (_lock)
            {
                var now = time.GetTimestamp();
                var start = Math.Max(now, Math.Max(_next, _pausedUntil));
                wait = Until(start, now);
                if (wait > patience)
                    return new PaceTurn(LineUp(start, now, isOnline), _epoch);
                _next = start + Ticks(Interval());
                turn = new PaceTurn(TimeSpan.Zero, _epoch);
                changed = _changed.Task;
                if (wait <= TimeSpan.Zero)
                {
                    _last = now;
                    return turn;
                }
            }

            waits?.Invoke(wait);
            await changed.WaitAsync(wait, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            lock (_lock)
            {
                if (changed.IsCompleted)
                    continue; // turns are given anew
                if (cancellationToken.IsCancellationRequested)
                {
                    GiveBack();
                    continue;
                }

                _last = time.GetTimestamp();
                return turn;
            }
        }
    }

    /// <summary>The upstream answered a request.</summary>
    public void Answered()
    {
        lock (_lock)
        {
            Observe();
            _answers++;
            if (_rate is { } rate)
                _rate = rate + (_isRestarting ? 1 : _growth / rate) is var grown && grown < Unlimited ? grown : null;
            if (_rate is null)
                _line = _onlineLine = Never;
            if (_refusals == 0)
                return;
            (_refusals, _reason, _line, _onlineLine) = (0, null, Never, Never);
            if (_rate is null)
                (_rate, _isRestarting) = (Restart, true);
            _next = time.GetTimestamp();
            Signal();
        }
    }

    /// <summary>
    /// The upstream refused a request for now, or could not be reached. Of requests sent before the last refusal only a longer pause is
    /// news.
    /// </summary>
    /// <param name="turn">The turn of the request.</param>
    /// <param name="asked">The pause that the upstream asked for; null: longer with each refusal.</param>
    /// <param name="isThrottled">Whether there were too many requests.</param>
    /// <param name="reason">Shown to those who wait.</param>
    /// <param name="chance">0 to 1.</param>
    /// <returns>How long requests pause.</returns>
    public TimeSpan Refused(PaceTurn turn, TimeSpan? asked, bool isThrottled, string reason, double chance)
    {
        lock (_lock)
        {
            var now = time.GetTimestamp();
            var isNews = turn.Epoch == _epoch;
            _reason = reason;
            if (isNews)
            {
                _epoch++;
                _refusals++;
                if (isThrottled)
                    Lower();
            }

            var until = now + Ticks(asked ?? (isNews ? RetryWaits.Backoff(_refusals - 1, chance) : TimeSpan.Zero));
            if (isNews || until > _pausedUntil)
            {
                _next = _pausedUntil = Math.Max(until, _pausedUntil);
                Signal();
            }

            return Until(_pausedUntil, now);
        }
    }

    /// <summary>
    /// How long one waits that does not wait here. Each has a place of its own, so that not all come back at the same time; they are twice
    /// as dense as the turns, because some of those who have one will not come.
    /// </summary>
    private TimeSpan LineUp(long start, long now, bool isOnline)
    {
        ref var line = ref isOnline ? ref _onlineLine : ref _line;
        var place = Math.Max(start, Math.Min(line, now + Ticks(LongestLine)));
        line = place + Ticks(Interval() / 2);
        return Until(place, now);
    }

    /// <summary>A turn will not be used: those that follow move up.</summary>
    private void GiveBack()
    {
        _next = Math.Max(time.GetTimestamp(), _last + Ticks(Interval()));
        Signal();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Without any answer yet there is nothing to learn: the pause alone slows down.</summary>
    private void Lower()
    {
        Observe();
        var seconds = Math.Max(1, time.GetElapsedTime(_began).TotalSeconds);
        var observed = _answers / (Memory * (1 - Math.Exp(-seconds / Memory)));
        _rate = _answers >= 0.5 ? Math.Max(Lowest, Math.Min(_rate ?? double.MaxValue, observed) * Kept)
            : _rate is { } rate ? Math.Max(Lowest, rate / 2)
            : null;
        _growth = Math.Max(Lowest, (_rate ?? 0) * Growth);
        _isRestarting = false;
    }

    /// <summary>Lets the number of answers decay; after an idle time the observation begins anew.</summary>
    private void Observe()
    {
        var now = time.GetTimestamp();
        var seconds = time.GetElapsedTime(_observed, now).TotalSeconds;
        (_answers, _began) = seconds > 2 * Memory ? (0, now) : (_answers * Math.Exp(-seconds / Memory), _began);
        _observed = now;
    }

    private TimeSpan Interval() =>
        _refusals > 0 ? Probe : _rate is { } rate ? TimeSpan.FromSeconds(1 / rate) : TimeSpan.Zero;

    /// <summary>Makes those who wait ask for a new turn.</summary>
    private void Signal()
    {
        _changed.TrySetResult();
        _changed = NewSignal();
    }

    private TimeSpan Until(long timestamp, long now) => timestamp <= now ? TimeSpan.Zero : time.GetElapsedTime(now, timestamp);

    private long Ticks(TimeSpan wait) => (long)(wait.TotalSeconds * time.TimestampFrequency);
}
