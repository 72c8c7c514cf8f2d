using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Engine.Batches;

/// <summary>
/// The right of this process to work on a batch, renewed until it is disposed. Two that work on one do no harm, but the same
/// twice: each step of a batch is taken once.
/// </summary>
public sealed class BatchLease : IAsyncDisposable
{
    /// <summary>Another scheduler takes over a batch whose holder has said nothing for so long.</summary>
    public static readonly TimeSpan Length = TimeSpan.FromSeconds(15);

    private readonly IDbContextFactory<TaskDbContext> _databases;
    private readonly TimeProvider _time;
    private readonly Guid _batchId;
    private readonly CancellationTokenSource _lost = new();
    private readonly CancellationTokenSource _over = new();
    private readonly Task _renewing;
    private DateTime _until;

    private BatchLease(IDbContextFactory<TaskDbContext> databases, TimeProvider time, Guid batchId, DateTime until)
    {
        (_databases, _time, _batchId, _until) = (databases, time, batchId, until);
        _renewing = Task.Run(RenewAsync);
    }

    /// <summary>Cancelled when another process may have taken over.</summary>
    public CancellationToken Lost => _lost.Token;

    /// <summary>Takes a batch; null where somebody else has it.</summary>
    internal static async Task<BatchLease?> TakeAsync(IDbContextFactory<TaskDbContext> databases, TimeProvider time, Guid batchId)
    {
        var now = Micros.Now(time);
        var until = now + Length;
        await using var db = await databases.CreateDbContextAsync();
        var taken = await db.Batches.Where(b => b.CorrelationId == batchId && (b.WorkedUntil == null || b.WorkedUntil < now))
            .ExecuteUpdateAsync(b => b.SetProperty(x => x.WorkedUntil, until));
        return taken == 0 ? null : new BatchLease(databases, time, batchId, until);
    }

    /// <summary>Leaves the batch to whoever comes next. One that has ended keeps the mark until its tasks are released.</summary>
    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        await _renewing;
        _over.Dispose();
        _lost.Dispose();
        await using var db = await _databases.CreateDbContextAsync();
        await db.Batches.Where(b => b.CorrelationId == _batchId && b.WorkedUntil == _until && b.State < BatchStates.Completed)
            .ExecuteUpdateAsync(b => b.SetProperty(x => x.WorkedUntil, (DateTime?)null));
    }

    private async Task RenewAsync()
    {
        while (true)
        {
            await Task.Delay(Length / 3, _time, _over.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_over.IsCancellationRequested)
                return;
            if (!await TryRenewAsync())
            {
                await _lost.CancelAsync();
                return;
            }
        }
    }

    private async Task<bool> TryRenewAsync()
    {
        var now = Micros.Now(_time);
        try
        {
            await using var db = await _databases.CreateDbContextAsync();
            var renewed = await db.Batches.Where(b => b.CorrelationId == _batchId && b.WorkedUntil == _until)
                .ExecuteUpdateAsync(b => b.SetProperty(x => x.WorkedUntil, now + Length));
            _until = renewed == 1 ? now + Length : _until;
            return renewed == 1;
        }
        catch (Exception fault) when (StorageFaults.IsTransient(fault))
        {
            return now < _until; // and so long nobody else has it
        }
    }
}
