namespace TaskQueue.Engine.Clocks;

/// <summary>
/// The clock of a process: the database's time when it was last measured, plus the time that has elapsed since by the monotonic clock of
/// this machine. All processes thus agree on due times, leases and expiries, whatever the wall clocks of their machines say, and setting
/// a machine's clock changes nothing. Timers and timestamps are the machine's. Until the first measurement the time is the machine's too.
/// </summary>
/// <param name="machine">The clock of this machine.</param>
public sealed class DatabaseClock(TimeProvider machine) : TimeProvider
{
    /// <summary>Smaller corrections never make the time go back; a larger one is a step, which is followed.</summary>
    internal static readonly TimeSpan SmallestStep = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private volatile Line? _line;

    /// <summary>The clock of this machine.</summary>
    internal TimeProvider Machine => machine;

    /// <summary>By how much the machine's wall clock is ahead of this clock.</summary>
    internal TimeSpan MachineOffset => machine.GetUtcNow() - GetUtcNow();

    /// <inheritdoc />
    public override TimeZoneInfo LocalTimeZone => machine.LocalTimeZone;

    /// <inheritdoc />
    public override long TimestampFrequency => machine.TimestampFrequency;

    /// <inheritdoc />
    public override DateTimeOffset GetUtcNow() => _line is { } line ? Time(line) : machine.GetUtcNow();

    /// <inheritdoc />
    public override long GetTimestamp() => machine.GetTimestamp();

    /// <inheritdoc />
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        machine.CreateTimer(callback, state, dueTime, period);

    /// <summary>
    /// Records a measurement. When the answer arrived the database's time was at least the one in it, and later by at most the round trip.
    /// The clock is corrected only if it is outside these bounds, so that a slow answer does not make it worse, and then to the earlier
    /// one, so that nothing starts early.
    /// </summary>
    /// <param name="time">The database's time.</param>
    /// <param name="sent">Timestamp of the question.</param>
    /// <param name="received">Timestamp of the answer.</param>
    /// <returns>The step that the clock has followed; zero if there was none.</returns>
    internal TimeSpan Measured(DateTimeOffset time, long sent, long received)
    {
        lock (_lock)
        {
            var trip = machine.GetElapsedTime(sent, received);
            if (_line is not { } line)
            {
                _line = new Line(sent, received, time, DateTimeOffset.MinValue);
                return TimeSpan.Zero;
            }

            if (sent < line.Sent)
                return TimeSpan.Zero; // a later question was answered earlier
            var known = Raw(line, received);
            var corrected = known < time || known > time + trip ? time : known;
            var correction = corrected - known;
            var isStep = correction.Duration() >= SmallestStep;
            // After a small correction backwards the time stands still until it has caught up.
            _line = new Line(sent, received, corrected, isStep ? DateTimeOffset.MinValue : Time(line));
            return isStep ? correction : TimeSpan.Zero;
        }
    }

    private DateTimeOffset Time(Line line) => Raw(line, machine.GetTimestamp()) is var time && time > line.Least ? time : line.Least;

    private DateTimeOffset Raw(Line line, long timestamp) => line.Time + machine.GetElapsedTime(line.At, timestamp);

    /// <param name="Sent">Timestamp of the question of the last measurement.</param>
    /// <param name="At">Timestamp of its answer.</param>
    /// <param name="Time">The time then.</param>
    /// <param name="Least">The clock shows no earlier time.</param>
    private sealed record Line(long Sent, long At, DateTimeOffset Time, DateTimeOffset Least);
}
