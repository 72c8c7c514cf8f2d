using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Draining;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Consumers.Agent;

/// <summary>
/// The default processor of the agent door's queue. A task ends as soon as it was claimed, so there are no heartbeats; what
/// cannot be reported while the database is away is tried again until its lease expires.
/// </summary>
internal sealed partial class AgentService(
    TaskClaimer claims, TaskService taskService, IOptions<AgentOptions> options, Drain drain, LoopHeartbeats heartbeats, DependencyHealth dependencies, TimeProvider time, ILogger<AgentService> logger) : BackgroundService
{
    private const int LeaseMs = 30_000;
    private static readonly TimeSpan AfterFault = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    private readonly string _worker = $"agent@{Environment.MachineName}:{Environment.ProcessId}";

    /// <summary>Tasks that were claimed and have not ended.</summary>
    public int Running { get; private set; }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (options.Value.Processor == AgentProcessor.None)
            return;
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, drain.Begun);
        var request = new ClaimRequest([new(options.Value.Queue, 0), new(options.Value.Queue, 1)], options.Value.Concurrency, _worker, LeaseMs);
        IReadOnlyList<TaskState> tasks = [];
        var heartbeat = heartbeats.Of(GetType());
        while (!stopping.IsCancellationRequested || (tasks.Count > 0 && !drain.Over.IsCancellationRequested))
        {
            try
            {
                if (tasks.Count == 0)
                    tasks = await claims.ClaimAsync(request, LongestWait, stopping.Token, heartbeat);
                Running = tasks.Count;
                await taskService.ApplyAsync([.. tasks.Select(End)]);
                tasks = [];
                Running = 0;
                heartbeat.Succeeded();
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // such as a database that is away: the next round tries again
            catch (Exception fault)
#pragma warning restore CA1031
            {
                if (!dependencies.TryHandle(fault))
                {
                    heartbeat.Failed(fault);
                    LogFailed(fault, options.Value.Queue);
                }

                if (!StorageFaults.IsTransient(fault))
                    tasks = []; // their leases expire
                await Task.Delay(AfterFault, time, drain.Over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private TaskCommand End(TaskState task) =>
        options.Value.Processor == AgentProcessor.Echo
            ? taskService.Complete(task.CorrelationId, task.Attempt, _worker, task.Payload)
            : taskService.Fail(task.CorrelationId, task.Attempt, _worker, $"no processor is registered for {task.Name ?? "a task without a name"}", retryable: false);

    [LoggerMessage(LogLevel.Warning, "Running tasks of queue {Queue} failed; trying again")]
    private partial void LogFailed(Exception fault, string queue);
}
