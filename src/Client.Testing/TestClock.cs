namespace TaskQueue.Client.Testing;

/// <summary>
/// A clock that runs like the machine's and can be moved forward: its time, its timestamps and its timers. It never stands still, because
/// server and workers wait for short times, and would wait for ever.
/// </summary>
internal sealed class TestClock(DateTimeOffset start) : TimeProvider
{
    private readonly TimeProvider _real = System;
    private readonly long _started = System.GetTimestamp();
    private readonly Lock _lock = new();
    private readonly HashSet<TestTimer> _armed = [];
    private long _skipped; // in timestamps

    public override long TimestampFrequency => _real.TimestampFrequency;

    public override DateTimeOffset GetUtcNow() => start + GetElapsedTime(_started, GetTimestamp());

    public override long GetTimestamp() => _real.GetTimestamp() + Interlocked.Read(ref _skipped);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new TestTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Moves the time forward. Timers that are due then fire at once, each of them once.</summary>
    public void Skip(TimeSpan by)
    {
        List<TestTimer> armed;
        lock (_lock)
        {
            Interlocked.Add(ref _skipped, (long)(by.TotalSeconds * TimestampFrequency));
            armed = [.. _armed.OrderBy(t => t.Due)];
        }

        armed.ForEach(t => t.Rearm());
    }

    private long After(TimeSpan time) => GetTimestamp() + (long)(time.TotalSeconds * TimestampFrequency);

    /// <summary>Wraps a timer of the machine, which is set again whenever the time is moved.</summary>
    private sealed class TestTimer : ITimer
    {
        private readonly TestClock _clock;
        private readonly TimerCallback _callback;
        private readonly object? _state;
        private readonly ITimer _real;
        private TimeSpan _period;
        private bool _isDisposed;

        public TestTimer(TestClock clock, TimerCallback callback, object? state)
        {
            (_clock, _callback, _state) = (clock, callback, state);
            _real = clock._real.CreateTimer(static timer => ((TestTimer)timer!).Fire(), this, Timeout.InfiniteTimeSpan,
                Timeout.InfiniteTimeSpan);
        }

        /// <summary>Timestamp of the clock at which it fires.</summary>
        public long Due { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (_clock._lock)
            {
                if (_isDisposed)
                    return false;
                _period = period == TimeSpan.Zero ? Timeout.InfiniteTimeSpan : period; // as the machine's timers have it
                if (dueTime == Timeout.InfiniteTimeSpan)
                {
                    _clock._armed.Remove(this);
                    return _real.Change(dueTime, Timeout.InfiniteTimeSpan);
                }

                Due = _clock.After(dueTime);
                _clock._armed.Add(this);
                return _real.Change(dueTime, Timeout.InfiniteTimeSpan);
            }
        }

        /// <summary>Sets the machine's timer to what is left.</summary>
        public void Rearm()
        {
            lock (_clock._lock)
            {
                if (!_isDisposed && _clock._armed.Contains(this))
                    _real.Change(Left(), Timeout.InfiniteTimeSpan);
            }
        }

        public void Dispose()
        {
            lock (_clock._lock)
            {
                _isDisposed = true;
                _clock._armed.Remove(this);
            }

            _real.Dispose();
        }

        public ValueTask DisposeAsync()
        {
            lock (_clock._lock)
            {
                _isDisposed = true;
                _clock._armed.Remove(this);
            }

            return _real.DisposeAsync();
        }

        private TimeSpan Left()
        {
            var now = _clock.GetTimestamp();
            return now >= Due ? TimeSpan.Zero : _clock.GetElapsedTime(now, Due);
        }

        private void Fire()
        {
            lock (_clock._lock)
            {
                if (_isDisposed || !_clock._armed.Contains(this))
                    return;
                if (Left() > TimeSpan.FromMilliseconds(1)) // changed while it fired
                {
                    _real.Change(Left(), Timeout.InfiniteTimeSpan);
                    return;
                }

                if (_period == Timeout.InfiniteTimeSpan)
                {
                    _clock._armed.Remove(this);
                }
                else
                {
                    Due = Math.Max(Due + (long)(_period.TotalSeconds * _clock.TimestampFrequency), _clock.GetTimestamp());
                    _real.Change(Left(), Timeout.InfiniteTimeSpan);
                }
            }

            _callback(_state);
        }
    }
}
