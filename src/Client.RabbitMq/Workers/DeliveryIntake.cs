using MassTransit;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>
/// Takes the tasks of deliveries as there is room for them. A delivery is acknowledged when the engine knows of the start, or of the
/// outcome, of each of its tasks. It never outlasts its connection: the bus reconnects only when the last consumer of the lost one
/// has returned.
/// </summary>
/// <param name="attempts">What the worker holds.</param>
/// <param name="toItem">Reads a task.</param>
/// <param name="passOn">Sends tasks that were not begun to other workers, which keeps their attempt; null where they are reported.</param>
/// <param name="time">The clock.</param>
#pragma warning disable CA1001 // a semaphore without a wait handle holds nothing that must be released, and a delivery may use it late
internal sealed class DeliveryIntake(
    InFlightAttempts attempts, Func<DispatchedTask, WorkItem> toItem, Func<IReadOnlyList<DispatchedTask>, Task>? passOn, TimeProvider time)
#pragma warning restore CA1001
{
    /// <summary>
    /// Until the broker knows that this worker takes no more. What goes back earlier would come again, and after some times the
    /// broker would take it for poison.
    /// </summary>
    private static readonly TimeSpan Closing = TimeSpan.FromMilliseconds(250);

    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SemaphoreSlim _mutex = new(1);

    /// <summary>Waits a moment for endpoints that stop, then lets deliveries go back.</summary>
    /// <param name="stopping">Ends when their last delivery has.</param>
    public async Task CloseAsync(Task stopping)
    {
        await Task.WhenAny(stopping, Task.Delay(Closing, time, CancellationToken.None));
        _closed.TrySetResult();
    }

    /// <summary>Holds a delivery until its tasks are kept.</summary>
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
            // The broker has taken the delivery back: what was not begun is another worker's.
            taken.Where(a => a.BeganAt is null).ToList().ForEach(a => attempts.Lose(a));
            throw;
        }
    }

    /// <summary>One delivery at a time takes the room that there is.</summary>
    /// <returns>False where the worker stops before it took anything of the delivery.</returns>
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
            throw new OperationCanceledException("this worker stops"); // back to the broker, as it is
        await passOn!(rest).WaitAsync(lost); // what ran must not come again with them
    }
}
