using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Bus;
using TaskQueue.Engine.Events;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Scheduler.Tasks;

/// <summary>Dispatches push tasks whose time has come: scheduled, retrying, or sent long ago and never started.</summary>
internal sealed class DispatchSweep : SweepService
{
    private readonly ITaskStore _store;
    private readonly BusAddress _bus;
    private readonly DispatchWindow _window;
    private readonly TimeProvider _time;

    public DispatchSweep(ITaskStore store, TaskVerbs verbs, Doorbell doorbell, DispatchWindow window, BusAddress bus, Pulses pulses, TimeProvider time, ILogger<DispatchSweep> logger)
        : base(Sweep.Dispatch, store, verbs, pulses, time, logger)
    {
        _store = store;
        _bus = bus;
        _window = window;
        _time = time;
        doorbell.DueLater = Expect;
    }

    /// <summary>What the in-process bus held when the last process ended is sent again.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        if (_bus.RabbitMq is null)
            await _store.RedispatchAllAsync(Micros.Now(_time));
        await base.StartAsync(cancellationToken);
    }

    protected override bool MustWait => _window.IsFull;

    protected override TaskCommand Command(Guid id, DateTime at) => new DispatchTask(id, at);
}

/// <summary>Takes tasks back from workers that stopped sending heartbeats.</summary>
internal sealed class LeaseSweep(ITaskStore store, TaskVerbs verbs, Pulses pulses, TimeProvider time, ILogger<LeaseSweep> logger)
    : SweepService(Sweep.Lapsed, store, verbs, pulses, time, logger)
{
    protected override TaskCommand Command(Guid id, DateTime at) => new LapseLease(id, at);
}

/// <summary>Ends tasks that nobody started in time.</summary>
internal sealed class ExpirySweep(ITaskStore store, TaskVerbs verbs, Pulses pulses, TimeProvider time, ILogger<ExpirySweep> logger)
    : SweepService(Sweep.Expired, store, verbs, pulses, time, logger)
{
    protected override TaskCommand Command(Guid id, DateTime at) => new ExpireTask(id, at);
}
