namespace TaskQueue.Engine.Health;

/// <summary>
/// Records outages of the database and the broker. Silence during an outage is ignored, and the timeout restarts on recovery: restarting
/// the process would not help.
/// </summary>
public sealed class OutageGracePeriod(TimeProvider time)
{
    private long _databaseAt = Never, _brokerAt = Never;

    private const long Never = long.MinValue;

    /// <summary>Records that the database does not answer.</summary>
    internal void DatabaseIsAway() => Interlocked.Exchange(ref _databaseAt, time.GetTimestamp());

    /// <summary>Records that the broker does not answer.</summary>
    internal void BrokerIsAway() => Interlocked.Exchange(ref _brokerAt, time.GetTimestamp());

    /// <summary>The part of a silence that counts: at most the time since the last outage.</summary>
    internal TimeSpan Counted(TimeSpan silence, bool needsBroker)
    {
        silence = Least(silence, Interlocked.Read(ref _databaseAt));
        return needsBroker ? Least(silence, Interlocked.Read(ref _brokerAt)) : silence;
    }

    private TimeSpan Least(TimeSpan silence, long at) =>
        at != Never && time.GetElapsedTime(at) is var since && since < silence ? since : silence;
}
