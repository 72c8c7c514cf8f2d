namespace TaskQueue.Scheduler.Maintenance;

/// <summary>
/// A run in this process. Holds a lease on its job and renews it until disposed. Concurrent runs are safe but duplicate work.
/// </summary>
internal sealed class MaintenanceRun : IAsyncDisposable
{
    private readonly MaintenanceStates _states;
    private readonly string _job;
    private readonly MaintenanceState _begun;
    private readonly TimeSpan _length;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _lost = new();
    private readonly CancellationTokenSource _over = new();
    private readonly Task _renewing;
    private long _renewedAt;

    public MaintenanceRun(
        MaintenanceStates states, string job, MaintenanceState begun, string? takenFrom, TimeSpan length, TimeProvider time)
    {
        (_states, _job, _begun, _length, _time, TakenFrom) = (states, job, begun, length, time, takenFrom);
        _renewedAt = time.GetTimestamp();
        _renewing = Task.Run(RenewAsync);
    }

    /// <summary>The process whose run was interrupted; null if the last run finished.</summary>
    public string? TakenFrom { get; }

    /// <summary>Cancelled when another process may have taken over.</summary>
    public CancellationToken Lost => _lost.Token;

    /// <summary>Records the outcome and releases the job.</summary>
    public void End(string outcome, long? removed = null, Exception? fault = null) => _states.End(_job, _begun, outcome, removed, fault);

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        await _renewing;
        _over.Dispose();
        _lost.Dispose();
    }

    private async Task RenewAsync()
    {
        while (true)
        {
            await Task.Delay(_length / 4, _time, _over.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_over.IsCancellationRequested)
                return;
            if (!TryRenew())
                break;
        }

        await _lost.CancelAsync();
    }

    /// <returns>False if another run has taken over, or may have.</returns>
    private bool TryRenew()
    {
        var at = _time.GetTimestamp();
        try
        {
            if (!_states.Renew(_job, _begun))
                return false;
            _renewedAt = at;
            return true;
        }
#pragma warning disable CA1031 // the next renewal retries while the lease lasts
        catch (Exception)
#pragma warning restore CA1031
        {
            return _time.GetElapsedTime(_renewedAt) < _length;
        }
    }
}
