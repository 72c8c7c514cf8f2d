using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TaskQueue.Client;
using TaskQueue.Consumers.Workers;
using TaskQueue.Engine.Draining;

namespace TaskQueue.Consumers.Actions;

/// <summary>The worker for the built-in actions.</summary>
internal sealed class ActionRunner : EngineWorker
{
    private readonly ActionTransport _transport;

    public ActionRunner(IServiceProvider services, IOptions<ActionOptions> options, Drain drain, TimeProvider time,
        ILogger<ActionRunner> logger)
        : base(drain)
    {
        var reports = ActivatorUtilities.CreateInstance<EngineReports>(services, "actions", typeof(ActionRunner));
        _transport = ActivatorUtilities.CreateInstance<ActionTransport>(services, reports);
        Runtimes = [new WorkerRuntime(LimitsOf(options.Value.Concurrency), _transport, new ActionHandler(options, time), time, logger)];
    }

    protected override IReadOnlyList<WorkerRuntime> Runtimes { get; }

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        _transport.Connect();
        return base.StartAsync(cancellationToken);
    }

    public override void Dispose()
    {
        _transport.Dispose();
        base.Dispose();
    }
}
