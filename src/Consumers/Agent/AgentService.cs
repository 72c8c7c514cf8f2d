using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TaskQueue.Client;
using TaskQueue.Consumers.Workers;
using TaskQueue.Engine.Draining;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Queues;
using ClaimRequest = TaskQueue.Engine.Tasks.ClaimRequest;

namespace TaskQueue.Consumers.Agent;

/// <summary>The worker for the agent API's queue, unless an external worker serves it.</summary>
internal sealed class AgentService : EngineWorker
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    public AgentService(IServiceProvider services, IOptions<AgentOptions> options, Drain drain, LoopHeartbeats heartbeats,
        TimeProvider time, ILogger<AgentService> logger)
        : base(drain)
    {
        var agent = options.Value;
        if (agent.Processor == AgentProcessor.None)
            return;
        var reports = ActivatorUtilities.CreateInstance<EngineReports>(services, "agent", typeof(AgentService));
        QueueTier[] targets = [new(agent.Queue, 0), new(agent.Queue, 1)];
        var plan = new ClaimPlan(LongestWait, max =>
            ValueTask.FromResult(new ClaimRequest(targets, max, reports.Worker, EngineClaims.LeaseMs)));
        var transport = ActivatorUtilities.CreateInstance<EngineClaims>(services, reports, plan, heartbeats.Of(typeof(AgentService)));
        Runtimes = [new WorkerRuntime(LimitsOf(agent.Concurrency), transport, new AgentHandler(agent.Processor), time, logger)];
    }

    protected override IReadOnlyList<WorkerRuntime> Runtimes { get; } = [];
}
