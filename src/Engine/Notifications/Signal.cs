namespace TaskQueue.Engine.Notifications;

/// <summary>An auto-reset event for a single waiter.</summary>
public sealed class Signal : IDisposable
{
    private readonly SemaphoreSlim _set = new(0, 1);

    /// <summary>Releases the waiter, now or when it arrives.</summary>
    public void Set()
    {
        try
        {
            if (_set.CurrentCount == 0)
                _set.Release();
        }
        catch (SemaphoreFullException)
        {
            // Set concurrently by another thread.
        }
    }

    /// <inheritdoc />
    public void Dispose() => _set.Dispose();

    /// <summary>Waits for the signal; false on timeout.</summary>
    public Task<bool> WaitAsync(TimeSpan time, CancellationToken cancellationToken) => _set.WaitAsync(time, cancellationToken);
}
