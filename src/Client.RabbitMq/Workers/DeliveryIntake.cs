using MassTransit;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>
/// Accepts the tasks of deliveries as capacity allows. A delivery is acknowledged once the engine knows the start or the outcome
/// of each of its tasks. It never outlives its connection: the bus reconnects only after the last consumer of the lost connection
/// has returned.
/// </summary>
/// <param name="attempts">The tasks the worker holds.</param>
/// <param name="toItem">Converts a dispatched task.</param>
/// <param name="passOn">Sends unbegun tasks on to other workers, keeping their attempt; null if they are reported instead.</param>
/// <param name="time">The clock.</param>
#pragma warning disable CA1001 // a semaphore without a wait handle needs no disposal, and a delivery may use it late
internal sealed class DeliveryIntake(
    InFlightAttempts attempts, Func<DispatchedTask, WorkItem> toItem, Func<IReadOnlyList<DispatchedTask>, Task>? passOn, TimeProvider time)
#pragma warning restore CA1001
{
    /// <summary>
    /// Time for the broker to learn that this worker consumes no more. Deliveries returned earlier would be redelivered here, and
    /// after several redeliveries the broker would treat them as poison messages.
    /// </summary>
    private static readonly TimeSpan Closing = TimeSpan.FromMilliseconds(250);

    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SemaphoreSlim _mutex = new(1);

    /// <summary>Waits briefly for endpoints to stop, then lets deliveries be returned.</summary>
    /// <param name="stopping">Completes when the endpoints' last delivery has ended.</param>
    public async Task CloseAsync(Task stopping)
    {
        await Task.WhenAny(stopping, Task.Delay(Closing, time, CancellationToken.None));
        _closed.TrySetResult();
    }

    /// <summary>Holds a delivery until the engine knows the start or outcome of its tasks.</summary>
    public async Task TakeAsync(ConsumeContext<DispatchTasks> context)
    {
        var (tasks, lost) = (context.Message.Tasks, context.CancellationToken);
        var taken = new List<Attempt>();
        try
        {
            foreach (var task in tasks)
            {
                if (!await TryTakeAsync(task, taken, lost))
                    break;
            }

            await Task.WhenAll(taken.Select(a => a.Kept)).WaitAsync(lost);
            await ReturnAsync([.. tasks.Where((_, i) => i >= taken.Count || taken[i].IsReturned)], tasks.Count, lost);
        }
        catch (OperationCanceledException) when (lost.IsCancellationRequested)
        {
            // The broker has requeued the delivery: unbegun tasks go to another worker.
            taken.Where(a => a.BeganAt is null).ToList().ForEach(a => attempts.Lose(a));
            throw;
        }
    }

    /// <summary>Accepts a task when there is room. One delivery at a time.</summary>
    /// <returns>False if the worker stops before it accepted any task of the delivery.</returns>
    private async Task<bool> TryTakeAsync(DispatchedTask task, List<Attempt> taken, CancellationToken lost)
    {
        await _mutex.WaitAsync(lost);
        try
        {
            await attempts.RoomForOneAsync(lost);
            if (attempts.IsClosed && taken.Count == 0)
                return false;
            taken.Add(attempts.Take(toItem(task)));
            return true;
        }
        finally
        {
            _mutex.Release();
        }
    }

    private async Task ReturnAsync(List<DispatchedTask> rest, int all, CancellationToken lost)
    {
        if (rest.Count == 0)
            return;
        await _closed.Task.WaitAsync(lost);
        if (rest.Count == all)
            throw new OperationCanceledException("this worker stops"); // returns the whole delivery to the broker
        await passOn!(rest).WaitAsync(lost); // returning the delivery would redeliver the tasks that ran
    }
}
