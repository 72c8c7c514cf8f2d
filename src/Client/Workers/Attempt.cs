namespace TaskQueue.Client;

/// <summary>A task held by this worker, from its claim until the server has its outcome or the lease is lost.</summary>
#pragma warning disable CA1001 // a source without a timer needs no disposal, and a handler may read its token late
internal sealed class Attempt(WorkItem item, Signal progress)
#pragma warning restore CA1001
{
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _cancel = new();
    private readonly TaskCompletionSource _kept = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource? _told;
    private readonly PendingLog _log = new();
    private IReadOnlyList<LogEntry>? _last;
    private string? _progress;

    public WorkItem Item => item;

    /// <summary>Cancelled when the outcome no longer counts.</summary>
    public CancellationToken Cancelled => _cancel.Token;

    /// <summary>Set once; the first outcome wins.</summary>
    public TaskOutcome? Outcome { get; private set; }

    public bool IsLost { get; private set; }

    /// <summary>Returned to its source before it began; see <see cref="IWorkerTransport.ReturnsUnbegun"/>.</summary>
    public bool IsReturned { get; private set; }

    /// <summary>Timestamp of the handler's start; null before.</summary>
    public long? BeganAt { get; private set; }

    /// <summary>Push queues only: whether the start was reported to the engine.</summary>
    public bool IsAnnounced { get; set; }

    /// <summary>
    /// Push queues only: completes when the engine knows the task's start or outcome, so that the delivery may be acknowledged.
    /// </summary>
    public Task Kept => _kept.Task;

    /// <returns>False if the attempt is already over.</returns>
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

    /// <summary>Marks the lease as lost: the handler's outcome is dropped.</summary>
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

    /// <summary>Cancels the handler. Call it outside the lock: cancellation callbacks run the handler's code.</summary>
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

    /// <summary>Takes the pending progress; the next call returns null unless there is new progress.</summary>
    public (string? Json, TaskCompletionSource? Told) TakeProgress()
    {
        lock (_lock)
        {
            var taken = (_progress, _told);
            (_progress, _told) = (null, null);
            return taken;
        }
    }

    /// <summary>Adds a line to the log that the next heartbeat or report carries; an attempt that is over logs nothing more.</summary>
    public void Log(LogEntry line)
    {
        bool isUrgent;
        lock (_lock)
        {
            if (IsLost || Outcome is not null)
                return;
            _log.Add(line);
            isUrgent = _log.IsHalfFull;
            HasUrgentLog |= isUrgent;
        }

        if (isUrgent)
            progress.Set();
    }

    /// <summary>Whether so much is logged that it should not wait for the next regular heartbeat.</summary>
    public bool HasUrgentLog { get; private set; }

    /// <summary>Takes the lines logged since the last call; null if there are none.</summary>
    public IReadOnlyList<LogEntry>? TakeLog()
    {
        lock (_lock)
        {
            HasUrgentLog = false;
            return _log.Take();
        }
    }

    /// <summary>The lines for the report of the outcome, which may have to be repeated; null if there are none.</summary>
    public IReadOnlyList<LogEntry>? LastLog()
    {
        lock (_lock)
            return _last ??= _log.Take();
    }

    /// <summary>After a failed request, keeps lines for the next one.</summary>
    public void PutBackLog(IReadOnlyList<LogEntry>? lines)
    {
        if (lines is null)
            return;
        lock (_lock)
            _log.PutBack(lines);
    }

    /// <summary>Releases callers that wait for their progress to be sent.</summary>
    public void EndProgress()
    {
        lock (_lock)
            _told?.TrySetResult();
    }

    /// <summary>After a failed heartbeat, keeps the progress for the next one unless newer progress exists.</summary>
    public void PutBack(string? json)
    {
        lock (_lock)
            _progress ??= json;
    }
}
