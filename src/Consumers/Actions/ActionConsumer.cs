using MassTransit;
using TaskQueue.Contracts;

namespace TaskQueue.Consumers.Actions;

/// <summary>
/// Takes dispatched tasks of the built-in queue. The message is acknowledged once every task in it is reported, ended or
/// at least started: from then on its lease protects it. It never outlives its delivery: the bus reconnects only when the
/// last consumer of the lost connection has returned, and a report needs the new one.
/// </summary>
internal sealed class ActionConsumer(ActionRunner runner) : IConsumer<DispatchTasks>
{
    public Task Consume(ConsumeContext<DispatchTasks> context) =>
        Task.WhenAll(context.Message.Tasks.Select(t => runner.TakeAsync(t, context.CancellationToken))).WaitAsync(context.CancellationToken);
}
