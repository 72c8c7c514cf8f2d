using System.Runtime.InteropServices;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>A request in flight.</summary>
/// <param name="At">When it was sent.</param>
/// <param name="Window">The window in which it was sent.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct SentRequest(long At, long Window);

/// <summary>How a request ended.</summary>
internal enum RequestEnd
{
    /// <summary>It was answered, and not by an error of the server.</summary>
    Served,

    /// <summary>The server failed.</summary>
    Failed,

    /// <summary>The upstream refused it for now, or did not answer in time.</summary>
    Overload,

    /// <summary>It says nothing: it was cancelled, or sent only to see whether the upstream still refuses.</summary>
    Ignored,
}

/// <summary>
/// The number of concurrent requests that brings the most answers a second, found by hill climbing. Requests are measured in windows. As
/// long as all slots are used, other limits are tried in turn: one is kept if the rate of answers grows with it by a worthwhile share, or
/// if a lower one costs none. The limit doubles at first and then changes by steps. When neither direction helps, it rests, and tries again
/// later or as soon as the rate changes. A refusal lowers it.
/// </summary>
internal sealed class ConcurrencyLimit
{
    /// <summary>The limit at the beginning; refusals do not lower it further.</summary>
    private const int First = 4;

    /// <summary>More requests are worthwhile if the rate grows by this share of their growth.</summary>
    private const double Worthwhile = 0.25;

    /// <summary>The share of the limit that is kept after a refusal.</summary>
    private const double Kept = 0.75;

    /// <summary>
    /// Fewer requests are tried only while this share of the slots is in use: otherwise there are too few tasks, not too many requests.
    /// </summary>
    private const double Full = 0.85;

    /// <summary>A rate that changed by this factor is news.</summary>
    private const double News = 4.0 / 3;

    /// <summary>Windows without a trial, once neither direction helped.</summary>
    private const int Rest = 10;

    /// <summary>Answers in a window: at least this number, and twice the limit.</summary>
    private const int LeastAnswers = 16;

    private static readonly TimeSpan ShortestWindow = TimeSpan.FromSeconds(2);

    /// <summary>After a time without requests a new window begins.</summary>
    private static readonly TimeSpan LongestGap = TimeSpan.FromSeconds(1);

    private readonly int _most;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();

    private int _limit;
    private int _base; // the limit that a trial is compared with
    private double? _rate; // at the base; null: not measured
    private bool _isUp = true, _isDoubling = true, _isFull;
    private int _misses, _rest;

    private long _window, _lowered; // number of the window, and of the first one after the last refusal
    private long _changed; // last change of the requests in flight
    private long? _began; // first request of the window
    private int _inFlight, _peak, _ended, _served;
    private double _area, _latency; // seconds of requests in flight, and of those that ended

    /// <param name="most">The upper bound.</param>
    /// <param name="time">The clock.</param>
    public ConcurrencyLimit(int most, TimeProvider time)
    {
        (_most, _time) = (most, time);
        _limit = _base = Math.Min(First, most);
    }

    /// <summary>Maximum number of concurrent requests now.</summary>
    public int Current => Volatile.Read(ref _limit);

    /// <summary>A request is sent.</summary>
    public SentRequest Sent()
    {
        lock (_lock)
        {
            var now = _time.GetTimestamp();
            if (_inFlight == 0 && _time.GetElapsedTime(_changed, now) > LongestGap)
                BeginWindow();
            Advance(now);
            _began ??= now;
            _peak = Math.Max(_peak, ++_inFlight);
            return new SentRequest(now, _window);
        }
    }

    /// <summary>A request has ended.</summary>
    /// <param name="request">The request.</param>
    /// <param name="end">How it ended.</param>
    public void Ended(SentRequest request, RequestEnd end)
    {
        lock (_lock)
        {
            var now = _time.GetTimestamp();
            Advance(now);
            _inFlight--;
            if (end == RequestEnd.Overload && request.Window >= _lowered)
                Lower();
            if (end is RequestEnd.Overload or RequestEnd.Ignored || request.Window != _window)
                return; // or sent at another limit

            _ended++;
            _served += end == RequestEnd.Served ? 1 : 0;
            _latency += _time.GetElapsedTime(request.At, now).TotalSeconds;
            Measure(now);
        }
    }

    /// <summary>Ends the window if it is long enough: of a shorter one, only the quick answers would be known.</summary>
    private void Measure(long now)
    {
        var elapsed = _time.GetElapsedTime(_began!.Value, now);
        if (elapsed < ShortestWindow || _ended < Math.Max(LeastAnswers, 2 * _limit) || elapsed.TotalSeconds < 2 * _latency / _ended)
            return;
        if (2 * _served < _ended)
        {
            BeginWindow(); // a server that fails says nothing about its concurrency
            return;
        }

        // Little's law: requests in flight, divided by their latency. A count of answers depends on how many happen to end in the window.
        var rate = _latency > 0 ? _area / elapsed.TotalSeconds / _latency * _served : _served / elapsed.TotalSeconds;
        var isUsed = _peak >= _limit;
        _isFull = _area >= Full * _limit * elapsed.TotalSeconds;
        BeginWindow();
        if (isUsed)
            Learn(rate);
    }

    private void Learn(double rate)
    {
        if (_limit == _base)
        {
            if (_rate is { } known && (rate > known * News || known > rate * News))
                (_isUp, _misses, _rest) = (rate > known, 0, 0);
            _rate = rate;
            if (_rest > 0)
                _rest--;
            else
                Try();
            return;
        }

        var isKept = _limit > _base ? IsWorth(_base, _rate!.Value, _limit, rate) : !IsWorth(_limit, rate, _base, _rate!.Value);
        if (isKept)
        {
            (_base, _rate, _misses) = (_limit, rate, 0);
            Try();
        }
        else
        {
            Miss();
        }
    }

    /// <summary>Whether more requests at once are worthwhile.</summary>
    private static bool IsWorth(int low, double lowRate, int high, double highRate) =>
        highRate > lowRate * (1 + (Worthwhile * (high - low) / low));

    /// <summary>Tries the next limit in the same direction.</summary>
    private void Try()
    {
        var step = _isDoubling ? _base : Math.Max(1, _base / 4);
        var next = Math.Clamp(_isUp ? _base + step : _base - step, 1, _most);
        if (next == _base || (!_isUp && !_isFull))
            Miss();
        else
            Volatile.Write(ref _limit, next);
    }

    /// <summary>A trial did not help: steps follow doubling, and the other direction follows them.</summary>
    private void Miss()
    {
        Volatile.Write(ref _limit, _base);
        if (_isDoubling && _base < _most)
        {
            _isDoubling = false;
            return;
        }

        (_isUp, _isDoubling) = (!_isUp, false);
        if (++_misses >= 2)
            (_misses, _rest) = (0, Rest);
    }

    /// <summary>Of requests that were sent before the limit was lowered, further refusals are no news.</summary>
    private void Lower()
    {
        var lowered = Math.Min(_base, Math.Max((int)(_limit * Kept), Math.Min(First, _limit)));
        if (lowered == _limit && _limit == _base)
            return; // what was learned at the least limit holds
        Volatile.Write(ref _limit, lowered);
        (_base, _rate, _isUp, _isDoubling, _misses, _rest) = (lowered, null, true, false, 0, Rest);
        BeginWindow();
        _lowered = _window;
    }

    private void BeginWindow()
    {
        _window++;
        _began = null;
        (_peak, _ended, _served, _area, _latency) = (0, 0, 0, 0, 0);
    }

    private void Advance(long now)
    {
        if (_began is not null)
            _area += _inFlight * _time.GetElapsedTime(_changed, now).TotalSeconds;
        _changed = now;
    }
}
