using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Auth;

namespace TaskQueue.Engine.Bulk;

/// <summary>
/// Carries out operations in steps. A step notes its tasks before it changes them, so one that is interrupted is ended by whoever takes
/// over; between two steps an operation is paused, cancelled, or another one's turn.
/// </summary>
internal sealed partial class BulkOperationWorker(
    IBulkOperationStore store, BulkSteps steps, TimeProvider time, ILogger<BulkOperationWorker> logger)
{
    /// <summary>Another scheduler takes over an operation after this time without a step. One step takes less.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(30);

    /// <summary>Steps in a row that fail before an operation is paused.</summary>
    private const int MaxFaults = 5;

    /// <summary>Most operations of a round.</summary>
    private const int MaxAtOnce = 20;

    private static readonly TimeSpan Turn = TimeSpan.FromSeconds(1), AfterFault = TimeSpan.FromSeconds(5);

    /// <summary>Gives each operation that is due its turn.</summary>
    /// <returns>Whether there was any.</returns>
    public async Task<bool> RunAsync(Action progress, CancellationToken cancellationToken)
    {
        var due = await store.DueAsync(Micros.Now(time), MaxAtOnce, cancellationToken);
        foreach (var id in due)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await RunAsync(id, progress, cancellationToken);
            progress();
        }

        return due.Count > 0;
    }

    private async Task RunAsync(Guid id, Action progress, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        while (time.GetElapsedTime(began) < Turn && !cancellationToken.IsCancellationRequested)
        {
            var now = Micros.Now(time);
            var until = now + Lease;
            // Read anew for each step: it may have been paused or cancelled.
            if (await store.TryLeaseAsync(id, now, until, cancellationToken) is not { } operation)
                return;
            var held = new Holder(until);
            try
            {
                // Not cancelled with the process: a step is short.
                if (!await StepAsync(operation, held))
                    return;
            }
            catch (Exception fault) when (StorageFaults.IsOfRow(fault))
            {
                LogFailed(fault, id, operation.Faults + 1);
                await FailAsync(operation, held, "a step failed; the log of the server says more", operation.Faults + 1 >= MaxFaults);
                return;
            }
            catch (Exception fault) when (fault is not (OperationCanceledException or ObjectDisposedException or OutOfMemoryException))
            {
                // An outage, an overload or a race: the others have their turn. If the database is out, this fails too.
                LogPostponed(fault, id);
                await store.PostponeAsync(new BulkLease(id, held.Until, held.Until), Micros.Now(time) + AfterFault);
                return;
            }
            finally
            {
                await store.ReleaseAsync(id, held.Until);
            }

            progress();
        }
    }

    /// <returns>Whether the next step may begin at once.</returns>
    private async Task<bool> StepAsync(BulkOperation operation, Holder held)
    {
        if (operation.Problem is { } problem)
        {
            await FailAsync(operation, held, problem, isLast: true);
            return false;
        }

        var access = BulkAccess.FromText(operation.Access);
        if (operation.IsInStep)
        {
            var open = await store.OpenTasksAsync(operation.Id, CancellationToken.None);
            var outcome = await steps.ResumeAsync(operation, open, access);
            return await EndAsync(operation, held, outcome, Micros.Now(time), operation.IsSelected);
        }

        if (operation.HasEnded)
            return false;
        if (operation.IsUndo)
            return await UndoAsync(operation, held, access);
        if (operation.IsSelected)
        {
            await store.FinishAsync(Of(operation, held), BulkState.Completed, Micros.Now(time), CancellationToken.None);
            return false;
        }

        var began = Micros.Now(time);
        var step = await steps.SelectAsync(operation, access, began);
        if (await store.BeginStepAsync(Of(operation, held), step, CancellationToken.None) is not { } until)
            return false; // paused, cancelled, or taken over
        held.Until = until;
        return step.Tasks.Count == 0
            || await EndAsync(operation, held, await steps.ApplyAsync(operation, step.Tasks, access), began, step.IsLast);
    }

    private async Task<bool> EndAsync(BulkOperation operation, Holder held, BulkOutcome outcome, DateTime began, bool isLast)
    {
        var dueAt = outcome.Open.Count > 0 ? Micros.Now(time) + AfterFault
            : isLast ? began : Due(operation, began, outcome.Done.Count + outcome.Others.Count);
        var end = new BulkStepEnd(outcome.Done, outcome.Others, outcome.Failed, outcome.Error, dueAt, Micros.Now(time))
        {
            Open = outcome.Open,
        };
        if (await store.EndStepAsync(Of(operation, held), end, CancellationToken.None) is not { } until)
            return false;
        held.Until = until;
        return dueAt <= Micros.Now(time);
    }

    private async Task<bool> UndoAsync(BulkOperation operation, Holder held, Access access)
    {
        var began = Micros.Now(time);
        var kept = await store.KeptAsync(operation.Id, BulkSteps.SizeOf(operation), CancellationToken.None);
        if (kept.Count == 0)
        {
            await store.FinishAsync(Of(operation, held), BulkState.Undone, began, CancellationToken.None);
            return false;
        }

        var outcome = await steps.UndoAsync(operation, kept, access);
        var dueAt = outcome.Open.Count > 0 ? Micros.Now(time) + AfterFault : Due(operation, began, kept.Count);
        var end = new BulkUndoEnd([.. outcome.Done, .. outcome.Others], outcome.Done.Count, outcome.Error, dueAt);
        if (await store.EndUndoStepAsync(Of(operation, held), end, CancellationToken.None) is not { } until)
            return false;
        held.Until = until;
        return dueAt <= Micros.Now(time);
    }

    /// <summary>Notes that a step failed. What was cancelled must end: then the tasks of its step count as failed.</summary>
    private async Task FailAsync(BulkOperation operation, Holder held, string error, bool isLast)
    {
        if (!isLast || !operation.HasEnded)
        {
            await store.FailAsync(
                new BulkLease(operation.Id, held.Until, held.Until), error, Micros.Now(time) + AfterFault, pause: isLast);
            return;
        }

        var open = await store.OpenTasksAsync(operation.Id, CancellationToken.None);
        await EndAsync(operation, held, new BulkOutcome([], open, open.Count, error), Micros.Now(time), isLast: true);
    }

    private static DateTime Due(BulkOperation operation, DateTime began, int tasks) =>
        operation.Rate is { } rate ? Micros.Cut(began + TimeSpan.FromSeconds(tasks / rate)) : began;

    private BulkLease Of(BulkOperation operation, Holder held) => new(operation.Id, held.Until, Micros.Now(time) + Lease);

    [LoggerMessage(LogLevel.Warning, "A step of operation {Id} failed, the {Times}. in a row")]
    private partial void LogFailed(Exception fault, Guid id, int times);

    [LoggerMessage(LogLevel.Warning, "A step of operation {Id} is put off: the database failed for a moment")]
    private partial void LogPostponed(Exception fault, Guid id);

    /// <summary>The end of the lease, which each step renews.</summary>
    private sealed class Holder(DateTime until)
    {
        public DateTime Until { get; set; } = until;
    }
}
