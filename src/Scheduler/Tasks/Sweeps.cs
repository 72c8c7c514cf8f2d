using Microsoft.Extensions.Logging;
using TaskQueue.Engine;
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
    private readonly ITaskStore _store;
    private readonly ClockJumpRecovery _clock;

    public LeaseSweep(ITaskStore store, TaskService taskService, TaskQuarantine quarantine, PollingServices services)
        : base(Sweep.ExpiredLease, store, taskService, quarantine, services) =>
        (_store, _clock) = (store, new ClockJumpRecovery(services.Time));

    /// <summary>
    /// Times in the database follow the wall clock. After a clock change every lease seems expired, or seems to last for hours, and
    /// new tasks seem due in the future. This is corrected before any lease is expired.
    /// </summary>
    protected override async Task PrepareAsync()
    {
        if (_clock.Step is not { } step)
            return;
        LogStep(Logger, step.TotalSeconds);
        await _store.FollowClockAsync(Micros.Now(Time));
        _clock.Followed();
    }

    [LoggerMessage(LogLevel.Warning, "The clock changed by {Seconds:0} s; restarting running leases")]
    private static partial void LogStep(ILogger logger, double seconds);

    protected override TaskCommand Command(Guid id, DateTime at) => new ExpireLease(id, at);
}

/// <summary>Expires tasks not started in time.</summary>
internal sealed class ExpirySweep(ITaskStore store, TaskService taskService, TaskQuarantine quarantine, PollingServices services)
    : SweepService(Sweep.Expired, store, taskService, quarantine, services)
{
    protected override TaskCommand Command(Guid id, DateTime at) => new ExpireTask(id, at);
}
