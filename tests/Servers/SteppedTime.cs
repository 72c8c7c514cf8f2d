namespace TaskQueue.Tests.Servers;

/// <summary>A machine whose clock a test sets; its elapsed time and timers are those of another one.</summary>
internal sealed class SteppedTime(TimeProvider? inner = null) : TimeProvider
{
    private readonly TimeProvider _inner = inner ?? System;
    private long _ticks;

    public void Step(TimeSpan step) => Interlocked.Add(ref _ticks, step.Ticks);

    public override long TimestampFrequency => _inner.TimestampFrequency;

    public override DateTimeOffset GetUtcNow() => _inner.GetUtcNow().AddTicks(Interlocked.Read(ref _ticks));

    public override long GetTimestamp() => _inner.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        _inner.CreateTimer(callback, state, dueTime, period);
}
