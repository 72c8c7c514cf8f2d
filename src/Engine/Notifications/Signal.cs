namespace TaskQueue.Engine.Notifications;

/// <summary>An event for one waiter that resets itself.</summary>
public sealed class Signal : IDisposable
{
    private readonly SemaphoreSlim _set = new(0, 1);

    /// <summary>Lets the waiter go, now or when it comes.</summary>
    public void Set()
    {
        try
        {
            if (_set.CurrentCount == 0)
                _set.Release();
        }
        catch (SemaphoreFullException)
        {
            // Another thread set it in between: the same thing.
        }
    }

    /// <inheritdoc />
    public void Dispose() => _set.Dispose();

    /// <summary>Waits for the signal; false when the time was over first.</summary>
    public Task<bool> WaitAsync(TimeSpan time, CancellationToken cancellationToken) => _set.WaitAsync(time, cancellationToken);
}
