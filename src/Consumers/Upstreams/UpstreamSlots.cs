namespace TaskQueue.Consumers.Upstreams;

/// <summary>The slots of an upstream's concurrent requests, given in order of arrival.</summary>
/// <param name="count">Number of slots.</param>
/// <param name="found">The number of concurrent requests that was found to be best; null: all slots are used.</param>
/// <param name="time">The clock.</param>
#pragma warning disable CA1001 // a semaphore whose wait handle is not used holds nothing
internal sealed class UpstreamSlots(int count, ConcurrencyLimit? found, TimeProvider time)
#pragma warning restore CA1001
{
    private readonly SemaphoreSlim _slots = new(count);
    private int _guests;

    /// <summary>Requests that could be sent at once now.</summary>
    public int Free => (found?.Current ?? count) - (count - _slots.CurrentCount);

    /// <summary>Whether tasks of other upstreams have slots.</summary>
    public bool HasGuests => Volatile.Read(ref _guests) > 0;

    /// <summary>Takes a slot that is free.</summary>
    /// <param name="isGuest">Whether another upstream claimed the task.</param>
    public bool TryEnter(bool isGuest)
    {
        if (Free <= 0 || !_slots.Wait(TimeSpan.Zero))
            return false;
        Interlocked.Add(ref _guests, isGuest ? 1 : 0);
        return true;
    }

    /// <summary>Waits for a slot.</summary>
    /// <returns>False: the wait was too long.</returns>
    public async Task<bool> EnterAsync(bool isGuest, TimeSpan patience, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            await _slots.WaitAsync(either.Token);
            Interlocked.Add(ref _guests, isGuest ? 1 : 0);
            return true;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>Gives a slot back.</summary>
    public void Leave(bool isGuest)
    {
        Interlocked.Add(ref _guests, isGuest ? -1 : 0);
        _slots.Release();
    }
}
