namespace TaskQueue.Client;

/// <summary>A task this worker holds: from its claim until its outcome is with the server, or it is lost.</summary>
#pragma warning disable CA1001 // a source without a timer holds nothing that must be released, and a handler may look at its token late
internal sealed class Attempt(WorkItem item, Signal progress)
#pragma warning restore CA1001
{
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _cancel = new();
    private readonly TaskCompletionSource _kept = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource? _told;
    private string? _progress;

    public WorkItem Item => item;

    /// <summary>Cancelled where the outcome no longer counts.</summary>
    public CancellationToken Cancelled => _cancel.Token;

    /// <summary>Set once; the first counts.</summary>
    public TaskOutcome? Outcome { get; private set; }

    public bool IsLost { get; private set; }

    /// <summary>Not begun, and back where it came from: see <see cref="IWorkerTransport.ReturnsUnbegun"/>.</summary>
    public bool IsReturned { get; private set; }

    /// <summary>When a handler began; null before.</summary>
    public long? BeganAt { get; private set; }

    /// <summary>Push queues only: whether the engine was told of the start.</summary>
    public bool IsAnnounced { get; set; }

    /// <summary>
    /// Push queues only: done when the engine knows of the task's start or outcome, so that the delivery may be acknowledged.
    /// </summary>
    public Task Kept => _kept.Task;

    /// <returns>False where the attempt is over already.</returns>
    public bool TryBegin(TimeProvider time)
    {
        lock (_lock)
        {
            if (IsLost || IsReturned || Outcome is not null)
                return false;
            BeganAt = time.GetTimestamp();
            return true;
        }
    }

    public bool TrySettle(TaskOutcome outcome)
    {
        lock (_lock)
        {
            if (IsLost || IsReturned || Outcome is not null)
                return false;
            Outcome = outcome;
            return true;
        }
    }

    /// <summary>Another worker has the task, or none: the outcome of the handler is dropped.</summary>
    public bool TryLose()
    {
        lock (_lock)
        {
            if (IsLost || IsReturned || Outcome is not null)
                return false;
            IsLost = true;
        }

        Abort();
        return true;
    }

    public bool TryReturn()
    {
        lock (_lock)
        {
            if (IsLost || Outcome is not null || BeganAt is not null)
                return false;
            return IsReturned = true;
        }
    }

    /// <summary>Tells the handler that its outcome no longer counts. Not under the lock: what runs then is the handler's code.</summary>
    public void Abort() => _ = _cancel.CancelAsync().ContinueWith(static t => _ = t.Exception, TaskScheduler.Default);

    public void Keep() => _kept.TrySetResult();

    public Task SayProgress(string json)
    {
        Task told;
        lock (_lock)
        {
            if (IsLost || Outcome is not null)
                return Task.CompletedTask;
            _progress = json;
            told = (_told ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }

        progress.Set();
        return told;
    }

    /// <summary>What is to be said of the progress, once.</summary>
    public (string? Json, TaskCompletionSource? Told) TakeProgress()
    {
        lock (_lock)
        {
            var taken = (_progress, _told);
            (_progress, _told) = (null, null);
            return taken;
        }
    }

    /// <summary>Nobody waits for progress any longer.</summary>
    public void EndProgress()
    {
        lock (_lock)
            _told?.TrySetResult();
    }

    /// <summary>A heartbeat failed: says it with the next one, where there is nothing newer.</summary>
    public void PutBack(string? json)
    {
        lock (_lock)
            _progress ??= json;
    }
}
