using Microsoft.Extensions.Logging;
using TaskQueue.Engine;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Notifications;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Scheduler.Schedules;

/// <summary>
/// Enqueues the tasks of cron schedules. Any number of processes may run it concurrently: the tick advances in the transaction that
/// inserts its task, so it fires exactly once.
/// </summary>
internal sealed partial class ScheduleFiring(
    IScheduleStore store, TaskService tasks, ScheduleQuarantine quarantine, ScheduleSignal signal, PollingServices services)
    : PollingService(services)
{
    /// <summary>
    /// A schedule that is at least this late, because no scheduler ran, fires once and skips the missed ticks. Below that it fires
    /// every tick.
    /// </summary>
    private static readonly TimeSpan CatchUp = TimeSpan.FromMinutes(1);

    /// <summary>Interval of polling for schedules changed by other processes.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How long a schedule that this host cannot read, because it lacks the time zone, is left to other hosts before it is set aside.
    /// </summary>
    private static readonly TimeSpan ForOthers = TimeSpan.FromMinutes(1);

    // Schedules skipped in this round: this host cannot read them, or they failed recently.
    private readonly HashSet<int> _skipped = [];
    private readonly Dictionary<int, (DateTime Tick, long Since)> _unreadable = [];
    private readonly RepeatedFailures<int> _failures = new(services.Time);

    private readonly Signal _wake = new(); // not disposed: a change may still set it

    protected override TimeSpan AfterFault => LookAgain;

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        signal.OnChange = _wake.Set;
        return base.StartAsync(cancellationToken);
    }

    protected override async Task<TimeSpan> PollAsync(CancellationToken cancellationToken)
    {
        _skipped.Clear();
        while (!cancellationToken.IsCancellationRequested && await FireDueAsync())
            Beat();
        return await TimeToNextAsync();
    }

    protected override Task WaitAsync(TimeSpan wait, CancellationToken cancellationToken) => _wake.WaitAsync(wait, cancellationToken);

    /// <returns>Whether there were any.</returns>
    private async Task<bool> FireDueAsync()
    {
        var now = Micros.Now(Time);
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

    /// <summary>Fires one schedule; a failure does not hold up the others.</summary>
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
            LogFireFailed(Logger, fault, schedule.Name, schedule.Queue);
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
        var task = ScheduledTasks.Of(schedule.Queue, schedule.Settings, ScheduledTasks.IdOf(schedule.Id, tick), tick, schedule.Id);
        var taken = new ScheduleTick(schedule.Id, tick, next);
        try
        {
            await tasks.SubmitManyAsync([task], taken);
        }
        catch (Exception refused) when (refused is InvalidSubmissionException or QuotaExceededException)
        {
            // A rule has changed since the schedule was created, or its owner has too many waiting tasks. The tick is dropped, so that it
            // does not hold up the others.
            LogRefused(Logger, schedule.Name, schedule.Queue, refused.Message);
            await tasks.SubmitManyAsync([], taken);
        }
    }

    /// <summary>Returns null if this host cannot read it. If no other host fires it for a while, it is set aside.</summary>
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
                LogUnreadable(Logger, schedule.Name, schedule.Queue, unreadable.Message);
            if (seen.Tick != tick)
                _unreadable[schedule.Id] = (tick, Time.GetTimestamp());
            else if (Time.GetElapsedTime(seen.Since) >= ForOthers
                && await quarantine.SetAsideAsync(schedule, unreadable.Message, CancellationToken.None) is null)
                _unreadable.Remove(schedule.Id);
            return null;
        }
    }

    private async Task<TimeSpan> TimeToNextAsync()
    {
        var next = await store.NextAsync(_skipped);
        var wait = (next ?? DateTime.MaxValue) - Time.GetUtcNow().UtcDateTime;
        // A timer may fire a millisecond early.
        return wait >= LookAgain ? LookAgain : wait <= TimeSpan.Zero ? TimeSpan.Zero : wait + TimeSpan.FromMilliseconds(1);
    }

    [LoggerMessage(LogLevel.Warning, "Firing schedule {Schedule} of queue {Queue} failed; retrying")]
    private static partial void LogFireFailed(ILogger logger, Exception fault, string schedule, string queue);

    [LoggerMessage(LogLevel.Error, "Schedule {Schedule} of queue {Queue} is not fired by this host: {Problem}")]
    private static partial void LogUnreadable(ILogger logger, string schedule, string queue, string problem);

    [LoggerMessage(LogLevel.Error, "Schedule {Schedule} of queue {Queue} was due, but its task is refused: {Problem}")]
    private static partial void LogRefused(ILogger logger, string schedule, string queue, string problem);
}
