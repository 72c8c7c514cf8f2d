using Microsoft.Extensions.Logging;
using TaskQueue.Engine;
using TaskQueue.Engine.Clocks;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Notifications;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Scheduler.Tasks;

/// <summary>Dispatches due push tasks: scheduled, retrying, or dispatched long ago and never started.</summary>
internal sealed class DispatchSweep : SweepService
{
    private readonly ITaskStore _store;
    private readonly BusTransport _transport;
    private readonly InFlightLimiter _inFlight;

    public DispatchSweep(
        ITaskStore store, TaskService taskService, TaskQuarantine quarantine, WorkNotifier workNotifier, InFlightLimiter inFlight,
        BusTransport transport, PollingServices services)
        : base(Sweep.Dispatch, store, taskService, quarantine, services)
    {
        _store = store;
        _transport = transport;
        _inFlight = inFlight;
        workNotifier.DueLater = Expect;
    }

    /// <summary>Redispatches what the in-process bus held when the previous process ended.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        if (_transport.IsInProcess)
            await _store.RedispatchAllAsync(Micros.Now(Time));
        await base.StartAsync(cancellationToken);
    }

    protected override bool MustWait => _inFlight.IsFull;

    protected override TaskCommand Command(Guid id, DateTime at) => new DispatchTask(id, at);
}

/// <summary>Ends attempts with expired leases, whose workers stopped sending heartbeats.</summary>
internal sealed partial class LeaseSweep : SweepService
{
    /// <summary>Until then every process has noticed what this one has.</summary>
    private static readonly TimeSpan Settling = 2 * DatabaseWatch.Interval;

    private static readonly TimeSpan WhileSettling = TimeSpan.FromMilliseconds(200);

    /// <summary>A longer outage of the database may have cost a lease its heartbeats.</summary>
    private static readonly TimeSpan Outage = TimeSpan.FromSeconds(1);

    private readonly ITaskStore _store;
    private readonly DatabaseWatch _database;
    private int _followed;
    private long? _since; // timestamp of the break that is settling
    private long? _away; // timestamp of the first question of an outage

    public LeaseSweep(
        ITaskStore store, TaskService taskService, TaskQuarantine quarantine, DatabaseWatch database, PollingServices services)
        : base(Sweep.ExpiredLease, store, taskService, quarantine, services) =>
        (_store, _database, _followed) = (store, database, database.Breaks);

    /// <summary>
    /// After a step of the clock every lease seems expired, or seems to last for hours, and new tasks seem due in the future. After a
    /// failover the last heartbeats may be missing, and during an outage none arrived. No lease expires before all of them have started
    /// over: at once, and again when the other processes, whose claims may still have had the old time, have noticed too.
    /// </summary>
    protected override async Task PrepareAsync(CancellationToken cancellationToken)
    {
        var asked = Time.GetTimestamp();
        try
        {
            await _database.MeasureAsync(cancellationToken);
        }
        catch
        {
            _away ??= asked;
            throw;
        }

        var breaks = _database.Breaks;
        var isNew = breaks != _followed || (_away is { } away && Time.GetElapsedTime(away) > Outage);
        if (!isNew)
            _away = null;
        if (!isNew && !(_since is { } since && Time.GetElapsedTime(since) >= Settling))
            return;
        if (isNew)
            LogRestarting(Logger);
        await _store.FollowClockAsync(Micros.Now(Time));
        (_followed, _since, _away) = (breaks, isNew ? Time.GetTimestamp() : null, null);
    }

    protected override bool MustWait => _since is not null || _away is not null || _database.Breaks != _followed;

    protected override TimeSpan Pause => MustWait ? WhileSettling : base.Pause;

    [LoggerMessage(LogLevel.Warning, "Restarting running leases")]
    private static partial void LogRestarting(ILogger logger);

    protected override TaskCommand Command(Guid id, DateTime at) => new ExpireLease(id, at);
}

/// <summary>Expires tasks not started in time.</summary>
internal sealed class ExpirySweep(ITaskStore store, TaskService taskService, TaskQuarantine quarantine, PollingServices services)
    : SweepService(Sweep.Expired, store, taskService, quarantine, services)
{
    protected override TaskCommand Command(Guid id, DateTime at) => new ExpireTask(id, at);
}
