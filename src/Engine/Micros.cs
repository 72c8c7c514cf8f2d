namespace TaskQueue.Engine;

/// <summary>Times at the precision of the databases: microseconds.</summary>
public static class Micros
{
    /// <summary>The clock, cut to microseconds, so that a time in memory equals the same time read back.</summary>
    public static DateTime Now(TimeProvider time) => Cut(time.GetUtcNow().UtcDateTime);

    /// <summary>A time cut to microseconds.</summary>
    public static DateTime Cut(DateTime time) => new(time.Ticks - (time.Ticks % TimeSpan.TicksPerMicrosecond), DateTimeKind.Utc);

    /// <summary>Unix microseconds of a time.</summary>
    public static long FromTime(DateTime time) => (time.Ticks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond;

    /// <summary>The time of Unix microseconds.</summary>
    public static DateTime ToTime(long micros) => DateTime.UnixEpoch.AddTicks(micros * TimeSpan.TicksPerMicrosecond);
}
