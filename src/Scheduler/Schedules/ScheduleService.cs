using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Scheduler.Schedules;

/// <summary>
/// Makes the tasks of schedules at their ticks. Any number of processes may do it at once: a tick is moved on in the
/// transaction that inserts its task, so it fires once, whoever comes first.
/// </summary>
internal sealed partial class ScheduleService(
    IDbContextFactory<TaskDbContext> databases, TaskVerbs tasks, ScheduleSignal signal, Pulses pulses, Outages outages, TimeProvider time, ILogger<ScheduleService> logger) : BackgroundService
{
    /// <summary>
    /// A schedule that is this late, because no scheduler ran, fires once and leaves out what it missed. One that is less
    /// late fires every tick.
    /// </summary>
    private static readonly TimeSpan CatchUp = TimeSpan.FromMinutes(1);

    /// <summary>How often to look for schedules that other processes changed.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    private const int MaxBatch = 100;

    // Schedules that this host cannot read, because it lacks their time zone or key: left to others in this round, and told of once.
    private readonly HashSet<int> _skipped = [];
    private readonly HashSet<int> _told = [];

    private readonly SemaphoreSlim _wake = new(0); // not disposed: the round under way may still come to wait for it

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var pulse = pulses.Of(GetType());
        signal.OnChange = () => _wake.Release();
        while (!stoppingToken.IsCancellationRequested)
        {
            var wait = LookAgain;
            _skipped.Clear();
            try
            {
                while (!stoppingToken.IsCancellationRequested && await FireDueAsync())
                    pulse.Beat();
                wait = await TimeToNextAsync();
                pulse.Beat();
            }
#pragma warning disable CA1031 // the next round tries again
            catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                if (!outages.Covers(fault))
                    LogFailed(fault);
            }

            await ((Task)_wake.WaitAsync(wait, stoppingToken)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <returns>Whether there were any.</returns>
    private async Task<bool> FireDueAsync()
    {
        var now = Micros.Now(time);
        await using var db = await databases.CreateDbContextAsync();
        var due = await Due(db, now, _skipped).ToListAsync();
        foreach (var schedule in due)
            await FireAsync(db, schedule, now);
        return due.Count > 0;
    }

    internal static IQueryable<ScheduleRecord> Due(TaskDbContext db, DateTime now, IEnumerable<int> skipped) =>
        db.Schedules.AsNoTracking().Where(s => s.NextAt <= now && !skipped.Contains(s.Id)).OrderBy(s => s.NextAt).Take(MaxBatch);

    internal static Task<DateTime?> NextAsync(TaskDbContext db, IEnumerable<int> skipped) =>
        db.Schedules.Where(s => s.NextAt != null && !skipped.Contains(s.Id)).MinAsync(s => s.NextAt);

    private async Task FireAsync(TaskDbContext db, ScheduleRecord schedule, DateTime now)
    {
        var tick = schedule.NextAt!.Value;
        if (Read(db, schedule) is not { } cron)
            return;
        var next = cron.Next(now - tick > CatchUp ? now : tick);
        var task = ScheduledTasks.Of(schedule.Queue, schedule.Settings, ScheduledTasks.IdOf(schedule.Id, tick), tick);
        var taken = new ScheduleTick(schedule.Id, tick, next);
        try
        {
            await tasks.SubmitManyAsync([task], taken);
        }
        catch (InvalidSubmissionException refused)
        {
            // A rule has changed since the schedule was made. It must not hold up the others, so the tick is lost.
            LogRefused(schedule.Name, schedule.Queue, refused.Message);
            await tasks.SubmitManyAsync([], taken);
        }
    }

    private CronSchedule? Read(TaskDbContext db, ScheduleRecord schedule)
    {
        try
        {
            db.Open(schedule);
            return CronSchedule.Parse(schedule.Settings.Cron, schedule.Settings.TimeZone);
        }
        catch (Exception unreadable) when (unreadable is InvalidScheduleException or UnreadableDataException)
        {
            _skipped.Add(schedule.Id);
            if (_told.Add(schedule.Id))
                LogUnreadable(schedule.Name, schedule.Queue, unreadable.Message);
            return null;
        }
    }

    private async Task<TimeSpan> TimeToNextAsync()
    {
        await using var db = await databases.CreateDbContextAsync();
        var next = await NextAsync(db, _skipped);
        var wait = (next ?? DateTime.MaxValue) - time.GetUtcNow().UtcDateTime;
        // A timer may fire a millisecond early.
        return wait >= LookAgain ? LookAgain : wait <= TimeSpan.Zero ? TimeSpan.Zero : wait + TimeSpan.FromMilliseconds(1);
    }

    [LoggerMessage(LogLevel.Warning, "Firing schedules failed; trying again")]
    private partial void LogFailed(Exception fault);

    [LoggerMessage(LogLevel.Error, "Schedule {Schedule} of queue {Queue} is not fired by this host: {Problem}")]
    private partial void LogUnreadable(string schedule, string queue, string problem);

    [LoggerMessage(LogLevel.Error, "Schedule {Schedule} of queue {Queue} was due, but its task is refused: {Problem}")]
    private partial void LogRefused(string schedule, string queue, string problem);
}
