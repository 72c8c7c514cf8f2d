namespace TaskQueue.Engine;

/// <summary>Timestamps at the precision of the databases: microseconds.</summary>
public static class Micros
{
    /// <summary>The current time truncated to microseconds, so that a time in memory equals the same time read back.</summary>
    public static DateTime Now(TimeProvider time) => Cut(time.GetUtcNow().UtcDateTime);

    /// <summary>Truncates a time to microseconds.</summary>
    public static DateTime Cut(DateTime time) => new(time.Ticks - (time.Ticks % TimeSpan.TicksPerMicrosecond), DateTimeKind.Utc);

    /// <summary>Converts a time to Unix microseconds.</summary>
    public static long FromTime(DateTime time) => (time.Ticks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond;

    /// <summary>Converts Unix microseconds to a time.</summary>
    public static DateTime ToTime(long micros) => DateTime.UnixEpoch.AddTicks(micros * TimeSpan.TicksPerMicrosecond);
}
