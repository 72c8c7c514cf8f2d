namespace TaskQueue.Bus.Dispatch;

/// <summary>Bounds the channels that are open at a time. Thread-safe.</summary>
internal sealed class ChannelPermits
{
    private readonly Lock _lock = new();
    private readonly Queue<TaskCompletionSource> _waiting = [];
    private int _taken, _max = int.MaxValue;

    /// <summary>Whether a caller waits for a permit, so that one that is not needed now should be returned.</summary>
    public bool AreWanted
    {
        get
        {
            lock (_lock)
                return _waiting.Count > 0;
        }
    }

    /// <summary>Sets the maximum, when a connection is opened.</summary>
    public void SetMax(int max)
    {
        lock (_lock)
        {
            _max = max;
            while (_taken < _max && _waiting.TryDequeue(out var next))
                Give(next);
        }
    }

    /// <summary>Takes a permit, or queues for one.</summary>
    public Task TakeAsync()
    {
        lock (_lock)
        {
            if (_taken < _max)
            {
                _taken++;
                return Task.CompletedTask;
            }

            var next = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Enqueue(next);
            return next.Task;
        }
    }

    /// <summary>Returns a permit.</summary>
    public void Return()
    {
        lock (_lock)
        {
            _taken--;
            if (_taken < _max && _waiting.TryDequeue(out var next))
                Give(next);
        }
    }

    private void Give(TaskCompletionSource next)
    {
        _taken++;
        next.SetResult();
    }
}
