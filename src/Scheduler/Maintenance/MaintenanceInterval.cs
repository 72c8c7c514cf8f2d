namespace TaskQueue.Scheduler.Maintenance;

/// <summary>Converts intervals to cron expressions with a leading seconds field.</summary>
internal static class MaintenanceInterval
{
    public const string Rule =
        "1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30 seconds or minutes, 1, 2, 3, 4, 6, 8 or 12 hours, or a day (d.hh:mm:ss)";

    /// <summary>Returns null if no cron expression exists: the interval must divide the next larger unit.</summary>
    public static string? ToCron(TimeSpan interval) =>
        Divides(interval, TimeSpan.FromSeconds(1), 60) is { } seconds ? $"*/{seconds} * * * * *"
        : Divides(interval, TimeSpan.FromMinutes(1), 60) is { } minutes ? $"0 */{minutes} * * * *"
        : Divides(interval, TimeSpan.FromHours(1), 24) is { } hours ? $"0 0 */{hours} * * *"
        : interval == TimeSpan.FromDays(1) ? "0 0 0 * * *"
        : null;

    private static long? Divides(TimeSpan interval, TimeSpan unit, int whole) =>
        interval >= unit && interval < unit * whole && interval.Ticks % unit.Ticks == 0 && whole % (interval.Ticks / unit.Ticks) == 0
            ? interval.Ticks / unit.Ticks
            : null;
}
