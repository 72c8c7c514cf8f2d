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
internal sealed partial class AgentService : EngineWorker
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    public AgentService(IServiceProvider services, IOptions<AgentOptions> options, Drain drain, LoopHeartbeats heartbeats,
        TimeProvider time, ILogger<AgentService> logger)
        : base(drain)
    {
        var agent = options.Value;
        if (agent.Processor == AgentProcessor.None)
            return;
        if (agent.Processor == AgentProcessor.Echo)
            LogDemonstration(logger, agent.Queue);
        var reports = ActivatorUtilities.CreateInstance<EngineReports>(services, "agent", typeof(AgentService));
        QueueTier[] targets = [new(agent.Queue, 0), new(agent.Queue, 1)];
        var plan = new ClaimPlan(LongestWait, max =>
            ValueTask.FromResult(new ClaimRequest(targets, max, reports.Worker, EngineClaims.LeaseMs)));
        var transport = ActivatorUtilities.CreateInstance<EngineClaims>(services, reports, plan, heartbeats.Of(typeof(AgentService)));
        Runtimes = [new WorkerRuntime(LimitsOf(agent.Concurrency), transport, new AgentHandler(agent.Processor), time, logger)];
    }

    protected override IReadOnlyList<WorkerRuntime> Runtimes { get; } = [];

    [LoggerMessage(LogLevel.Information, "Tasks of queue {Queue} end with their own payload as the result, as a demonstration; set "
        + "TaskQueue:Agent:Processor to none for workers of your own, or to fail")]
    private static partial void LogDemonstration(ILogger logger, string queue);
}
