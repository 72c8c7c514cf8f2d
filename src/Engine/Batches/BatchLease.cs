namespace TaskQueue.Engine.Batches;

/// <summary>
/// The lease of this process on a batch, renewed until it is disposed. Concurrent holders are safe but duplicate work: each step of a
/// batch is applied once.
/// </summary>
public sealed class BatchLease : IAsyncDisposable
{
    /// <summary>Another scheduler takes over a batch whose lease was not renewed for this long.</summary>
    public static readonly TimeSpan Length = TimeSpan.FromSeconds(15);

    private readonly IBatchStore _store;
    private readonly TimeProvider _time;
    private readonly Guid _batchId;
    private readonly CancellationTokenSource _lost = new();
    private readonly CancellationTokenSource _over = new();
    private readonly Task _renewing;
    private DateTime _until;

    private BatchLease(IBatchStore store, TimeProvider time, Guid batchId, DateTime until)
    {
        (_store, _time, _batchId, _until) = (store, time, batchId, until);
        _renewing = Task.Run(RenewAsync);
    }

    /// <summary>Cancelled when another process may have taken over.</summary>
    public CancellationToken Lost => _lost.Token;

    /// <summary>Acquires the lease; null where another process holds it.</summary>
    public static async Task<BatchLease?> TryAcquireAsync(IBatchStore store, TimeProvider time, Guid batchId)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(time);
        var now = Micros.Now(time);
        var until = now + Length;
        return await store.TryAcquireLeaseAsync(batchId, now, until) ? new BatchLease(store, time, batchId, until) : null;
    }

    /// <summary>Releases the lease. A batch that has ended keeps its mark until its tasks are released.</summary>
    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        await _renewing;
        _over.Dispose();
        _lost.Dispose();
        await _store.ReleaseLeaseAsync(_batchId, _until);
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
            if (!await _store.RenewLeaseAsync(_batchId, _until, now + Length))
                return false;
            _until = now + Length;
            return true;
        }
        catch (Exception fault) when (StorageFaults.IsTransient(fault))
        {
            return now < _until; // until then no other process can acquire it
        }
    }
}
