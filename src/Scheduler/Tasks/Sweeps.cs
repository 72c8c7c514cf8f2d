using Microsoft.Extensions.Logging;
using TaskQueue.Engine;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Notifications;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Scheduler.Tasks;

/// <summary>Dispatches push tasks whose time has come: scheduled, retrying, or sent long ago and never started.</summary>
internal sealed class DispatchSweep : SweepService
{
    private readonly ITaskStore _store;
    private readonly BusTransport _transport;
    private readonly InFlightLimiter _inFlight;
    private readonly TimeProvider _time;

    public DispatchSweep(ITaskStore store, TaskService taskService, TaskQuarantine quarantine, WorkNotifier workNotifier,
        InFlightLimiter inFlight, BusTransport transport, LoopHeartbeats heartbeats, DependencyHealth dependencies, TimeProvider time,
            ILogger<DispatchSweep> logger)
        : base(Sweep.Dispatch, store, taskService, quarantine, heartbeats, dependencies, time, logger)
    {
        _store = store;
        _transport = transport;
        _inFlight = inFlight;
        _time = time;
        workNotifier.DueLater = Expect;
    }

    /// <summary>What the in-process bus held when the last process ended is sent again.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        if (_transport.IsInProcess)
            await _store.RedispatchAllAsync(Micros.Now(_time));
        await base.StartAsync(cancellationToken);
    }

    protected override bool MustWait => _inFlight.IsFull;

    protected override TaskCommand Command(Guid id, DateTime at) => new DispatchTask(id, at);
}

/// <summary>Takes tasks back from workers that stopped sending heartbeats.</summary>
internal sealed partial class LeaseSweep : SweepService
{
    private readonly ITaskStore _store;
    private readonly TimeProvider _time;
    private readonly ILogger<LeaseSweep> _logger;
    private readonly ClockJumpRecovery _clock;

    public LeaseSweep(ITaskStore store, TaskService taskService, TaskQuarantine quarantine, LoopHeartbeats heartbeats,
        DependencyHealth dependencies, TimeProvider time, ILogger<LeaseSweep> logger)
        : base(Sweep.ExpiredLease, store, taskService, quarantine, heartbeats, dependencies, time, logger) =>
        (_store, _time, _logger, _clock) = (store, time, logger, new ClockJumpRecovery(time));

    /// <summary>
    /// The times in the database are of the clock. Where somebody sets it, every lease seems to be over, or to last for hours, and
    /// what was accepted a moment ago seems to be due in the future: that is put right before anything is taken back.
    /// </summary>
    protected override async Task PrepareAsync()
    {
        if (_clock.Step is not { } step)
            return;
        LogStep(step.TotalSeconds);
        await _store.FollowClockAsync(Micros.Now(_time));
        _clock.Followed();
    }

    [LoggerMessage(LogLevel.Warning, "The clock was set by {Seconds:0} s; leases that run begin anew")]
    private partial void LogStep(double seconds);

    protected override TaskCommand Command(Guid id, DateTime at) => new ExpireLease(id, at);
}

/// <summary>Ends tasks that nobody started in time.</summary>
internal sealed class ExpirySweep(ITaskStore store, TaskService taskService, TaskQuarantine quarantine, LoopHeartbeats heartbeats,
    DependencyHealth dependencies, TimeProvider time, ILogger<ExpirySweep> logger)
    : SweepService(Sweep.Expired, store, taskService, quarantine, heartbeats, dependencies, time, logger)
{
    protected override TaskCommand Command(Guid id, DateTime at) => new ExpireTask(id, at);
}
