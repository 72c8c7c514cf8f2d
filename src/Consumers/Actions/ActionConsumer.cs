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
    public async Task Consume(ConsumeContext<DispatchTasks> context)
    {
        var (tasks, lost) = (context.Message.Tasks, context.CancellationToken);
        var taken = await Task.WhenAll(tasks.Select(t => runner.TryTakeAsync(t, lost))).WaitAsync(lost);
        List<DispatchedTask> rest = [.. tasks.Where((_, i) => !taken[i])];
        if (rest.Count == 0)
            return;
        await runner.Closed.WaitAsync(lost);
        if (rest.Count == tasks.Count)
            throw new OperationCanceledException("this process stops"); // back to the broker, as it is
        await runner.PassOnAsync(rest).WaitAsync(lost); // what ran must not come again with them
    }
}
