namespace TaskQueue.Engine.Health;

/// <summary>
/// When the database and the broker were last seen to be away. Silence during an outage is ignored, and the timeout begins anew from
/// the moment they are back: a restart would not help.
/// </summary>
public sealed class OutageGracePeriod(TimeProvider time)
{
    private long _databaseAt = Never, _brokerAt = Never;

    private const long Never = long.MinValue;

    /// <summary>The database does not answer.</summary>
    internal void DatabaseIsAway() => Interlocked.Exchange(ref _databaseAt, time.GetTimestamp());

    /// <summary>The broker does not answer.</summary>
    internal void BrokerIsAway() => Interlocked.Exchange(ref _brokerAt, time.GetTimestamp());

    /// <summary>What counts of a silence: no more than the time since the last outage.</summary>
    internal TimeSpan Counted(TimeSpan silence, bool needsBroker)
    {
        silence = Least(silence, Interlocked.Read(ref _databaseAt));
        return needsBroker ? Least(silence, Interlocked.Read(ref _brokerAt)) : silence;
    }

    private TimeSpan Least(TimeSpan silence, long at) =>
        at != Never && time.GetElapsedTime(at) is var since && since < silence ? since : silence;
}
