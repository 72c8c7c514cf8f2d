using System.Collections.Concurrent;
using MassTransit;
using TaskQueue.Contracts;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// Subscribes to the seven lifecycle events with a durable queue, and remembers the order of first arrival per task.
/// </summary>
internal sealed class CrashSubscriber :
    IConsumer<TasksSubmitted>, IConsumer<TasksStarted>, IConsumer<TasksCompleted>, IConsumer<TasksFailed>,
    IConsumer<TasksRetrying>, IConsumer<TasksCancelled>, IConsumer<TasksExpired>, IAsyncDisposable
{
    private readonly ConcurrentDictionary<Guid, List<string>> _seen = new();
    private readonly IBusControl _bus;

    private CrashSubscriber(string rabbitMq) =>
        _bus = MassTransit.Bus.Factory.CreateUsingRabbitMq(cfg =>
        {
            cfg.Host(new Uri(rabbitMq));
            cfg.ReceiveEndpoint("subscriber", e =>
            {
                e.SetQuorumQueue();
                e.ConcurrentMessageLimit = 1; // in order
                e.Instance(this);
            });
        });

    public static async Task<CrashSubscriber> StartAsync(string rabbitMq)
    {
        var subscriber = new CrashSubscriber(rabbitMq);
        await subscriber._bus.StartAsync();
        return subscriber;
    }

    /// <summary>Kinds of events of a task in the order of their first occurrence.</summary>
    public IReadOnlyList<string> Seen(Guid id)
    {
        if (!_seen.TryGetValue(id, out var kinds))
            return [];
        lock (kinds)
            return [.. kinds];
    }

    public async ValueTask DisposeAsync() => await _bus.StopAsync(TimeSpan.FromSeconds(10));

    public Task Consume(ConsumeContext<TasksSubmitted> context) => Note("submitted", context.Message.Tasks);

    public Task Consume(ConsumeContext<TasksStarted> context) => Note("started", context.Message.Tasks);

    public Task Consume(ConsumeContext<TasksCompleted> context) => Note("completed", context.Message.Tasks);

    public Task Consume(ConsumeContext<TasksFailed> context) => Note("failed", context.Message.Tasks);

    public Task Consume(ConsumeContext<TasksRetrying> context) => Note("retrying", context.Message.Tasks);

    public Task Consume(ConsumeContext<TasksCancelled> context) => Note("cancelled", context.Message.Tasks);

    public Task Consume(ConsumeContext<TasksExpired> context) => Note("expired", context.Message.Tasks);

    private Task Note(string kind, IReadOnlyList<TaskStep> steps)
    {
        foreach (var step in steps)
        {
            var kinds = _seen.GetOrAdd(step.TaskId, _ => []);
            lock (kinds)
            {
                if (!kinds.Contains(kind))
                    kinds.Add(kind);
            }
        }

        return Task.CompletedTask;
    }
}
