using TaskQueue.Client;
using TaskQueue.Contracts;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Consumers.Workers;

/// <summary>A task run by an in-process worker, with its headers, which carry the trace context.</summary>
internal sealed record EngineItem(
    Guid Id, int Attempt, string Queue, int Tier, string? Name, string Payload, TimeSpan Lease, string? Headers)
    : WorkItem(Id, Attempt, Queue, Tier, Name, Payload, Lease)
{
    private static readonly TimeSpan DefaultLease = TimeSpan.FromMilliseconds(TaskService.DefaultLeaseMs);

    /// <summary>The row of a claimed task; null for a dispatched one.</summary>
    public TaskState? Claimed { get; init; }

    public static EngineItem Of(TaskState task, TimeSpan lease) =>
        new(task.CorrelationId, task.Attempt, task.Queue, task.Tier, task.Name, task.Payload, lease, task.Headers) { Claimed = task };

    public static EngineItem Of(DispatchedTask task) =>
        new(task.Id, task.Attempt, task.Queue, task.Tier, task.Name, task.Payload,
            task.LeaseSeconds is { } lease ? TimeSpan.FromSeconds(lease) : DefaultLease, task.Headers);
}
