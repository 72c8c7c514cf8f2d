using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Scheduler.Schedules;

/// <summary>
/// Makes the tasks of schedules at their ticks. Any number of processes may do it at once: a tick is moved on in the
/// transaction that inserts its task, so it fires once, whoever comes first.
/// </summary>
internal sealed partial class ScheduleFiring(
    IScheduleStore store, TaskService tasks, ScheduleQuarantine quarantine, ScheduleSignal signal, LoopHeartbeats heartbeats,
        DependencyHealth dependencies, TimeProvider time, ILogger<ScheduleFiring> logger) : BackgroundService
{
    /// <summary>
    /// A schedule that is this late, because no scheduler ran, fires once and leaves out what it missed. One that is less
    /// late fires every tick.
    /// </summary>
    private static readonly TimeSpan CatchUp = TimeSpan.FromMinutes(1);

    /// <summary>How often to look for schedules that other processes changed.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How long a schedule that this host cannot read, because it lacks its time zone, is left to other hosts before it is set aside.
    /// </summary>
    private static readonly TimeSpan ForOthers = TimeSpan.FromMinutes(1);

    // Schedules that are left out in this round: this host cannot read them, or they failed a moment ago.
    private readonly HashSet<int> _skipped = [];
    private readonly Dictionary<int, (DateTime Tick, long Since)> _unreadable = [];
    private readonly RepeatedFailures<int> _failures = new(time);

    private readonly SemaphoreSlim _wake = new(0); // not disposed: the round under way may still come to wait for it

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var heartbeat = heartbeats.Of(GetType());
        signal.OnChange = () => _wake.Release();
        while (!stoppingToken.IsCancellationRequested)
        {
            var wait = LookAgain;
            _skipped.Clear();
            try
            {
                while (!stoppingToken.IsCancellationRequested && await FireDueAsync())
                    heartbeat.Beat();
                wait = await TimeToNextAsync();
                heartbeat.Succeeded();
            }
#pragma warning disable CA1031 // the next round tries again
            catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                if (!dependencies.TryHandle(fault))
                {
                    heartbeat.Failed(fault);
                    LogFailed(fault);
                }
            }

            await ((Task)_wake.WaitAsync(wait, stoppingToken)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <returns>Whether there were any.</returns>
    private async Task<bool> FireDueAsync()
    {
        var now = Micros.Now(time);
        var due = await store.ListDueAsync(now, _skipped);
        foreach (var schedule in due)
        {
            if (_failures.IsExcluded(schedule.Schedule.Id))
                _skipped.Add(schedule.Schedule.Id);
            else
                await TryFireAsync(schedule, now);
        }

        return due.Count > 0;
    }

    /// <summary>One that fails does not hold up the others.</summary>
    private async Task TryFireAsync(DueSchedule due, DateTime now)
    {
        var schedule = due.Schedule;
        try
        {
            await FireAsync(due, now);
            _failures.Succeeded(schedule.Id);
        }
        catch (Exception fault) when (StorageFaults.IsOfRow(fault))
        {
            LogFireFailed(fault, schedule.Name, schedule.Queue);
            _skipped.Add(schedule.Id);
            if (_failures.Failed(schedule.Id)
                && await quarantine.SetAsideAsync(schedule, PoisonRules.Reason(fault), CancellationToken.None) is null)
                _failures.Succeeded(schedule.Id);
        }
    }

    private async Task FireAsync(DueSchedule due, DateTime now)
    {
        var schedule = due.Schedule;
        var tick = schedule.NextAt!.Value;
        if (await ReadAsync(due, tick) is not { } cron)
            return;
        var next = cron.Next(now - tick > CatchUp ? now : tick);
        var task = ScheduledTasks.Of(schedule.Queue, schedule.Settings, ScheduledTasks.IdOf(schedule.Id, tick), tick);
        var taken = new ScheduleTick(schedule.Id, tick, next);
        try
        {
            await tasks.SubmitManyAsync([task], taken);
        }
        catch (Exception refused) when (refused is InvalidSubmissionException or QuotaExceededException)
        {
            // A rule has changed since the schedule was made, or its owner has too many waiting tasks. It must not hold up the others, so
            // the tick is lost.
            LogRefused(schedule.Name, schedule.Queue, refused.Message);
            await tasks.SubmitManyAsync([], taken);
        }
    }

    /// <summary>Null where this host cannot read it. Where no other host has fired it for a while, nobody can.</summary>
    private async Task<CronSchedule?> ReadAsync(DueSchedule due, DateTime tick)
    {
        var schedule = due.Schedule;
        try
        {
            if (due.Problem is { } problem)
                throw problem;
            var cron = CronSchedule.Parse(schedule.Settings.Cron, schedule.Settings.TimeZone);
            _unreadable.Remove(schedule.Id);
            return cron;
        }
        catch (Exception unreadable) when (unreadable is InvalidScheduleException or UnreadableDataException)
        {
            _skipped.Add(schedule.Id);
            if (!_unreadable.TryGetValue(schedule.Id, out var seen))
                LogUnreadable(schedule.Name, schedule.Queue, unreadable.Message);
            if (seen.Tick != tick)
                _unreadable[schedule.Id] = (tick, time.GetTimestamp());
            else if (time.GetElapsedTime(seen.Since) >= ForOthers
                && await quarantine.SetAsideAsync(schedule, unreadable.Message, CancellationToken.None) is null)
                _unreadable.Remove(schedule.Id);
            return null;
        }
    }

    private async Task<TimeSpan> TimeToNextAsync()
    {
        var next = await store.NextAsync(_skipped);
        var wait = (next ?? DateTime.MaxValue) - time.GetUtcNow().UtcDateTime;
        // A timer may fire a millisecond early.
        return wait >= LookAgain ? LookAgain : wait <= TimeSpan.Zero ? TimeSpan.Zero : wait + TimeSpan.FromMilliseconds(1);
    }

    [LoggerMessage(LogLevel.Warning, "Firing schedules failed; trying again")]
    private partial void LogFailed(Exception fault);

    [LoggerMessage(LogLevel.Warning, "Firing schedule {Schedule} of queue {Queue} failed; trying again")]
    private partial void LogFireFailed(Exception fault, string schedule, string queue);

    [LoggerMessage(LogLevel.Error, "Schedule {Schedule} of queue {Queue} is not fired by this host: {Problem}")]
    private partial void LogUnreadable(string schedule, string queue, string problem);

    [LoggerMessage(LogLevel.Error, "Schedule {Schedule} of queue {Queue} was due, but its task is refused: {Problem}")]
    private partial void LogRefused(string schedule, string queue, string problem);
}
