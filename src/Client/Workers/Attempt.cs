namespace TaskQueue.Client;

/// <summary>A task held by this worker, from its claim until the server has its outcome or the lease is lost.</summary>
#pragma warning disable CA1001 // a source without a timer needs no disposal, and a handler may read its token late
internal sealed class Attempt(WorkItem item, Signal progress)
#pragma warning restore CA1001
{
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _cancel = new();
    private readonly TaskCompletionSource _kept = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly PendingLog _log = new();
    private IReadOnlyList<LogEntry>? _last;
    private PendingProgress? _progress;
    private bool _isRemoved, _isRunning;
    private string? _lastProgress;

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
            return _isRunning = true;
        }
    }

    /// <summary>Its handler has returned.</summary>
    /// <returns>Whether the worker holds it no more.</returns>
    public bool EndRun()
    {
        lock (_lock)
        {
            _isRunning = false;
            return _isRemoved;
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

    /// <summary>Releases an attempt that has not begun.</summary>
    public bool TryRelease()
    {
        lock (_lock)
        {
            if (IsLost || IsReturned || Outcome is not null || BeganAt is not null)
                return false;
            Outcome = TaskOutcome.Snooze(TimeSpan.Zero);
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

    /// <summary>Whether nothing more can happen to it here.</summary>
    public bool IsOver
    {
        get
        {
            lock (_lock)
                return IsLost || IsReturned || Outcome is not null;
        }
    }

    /// <summary>The progress reported last, sent or not; null if there is none.</summary>
    public string? LastProgress
    {
        get
        {
            lock (_lock)
                return _lastProgress;
        }
    }

    public Task SayProgress(string json)
    {
        Task told;
        lock (_lock)
        {
            if (IsLost || Outcome is not null)
                return Task.CompletedTask;
            told = (_progress ??= new PendingProgress()).Say(_lastProgress = json);
        }

        progress.Set();
        return told;
    }

    /// <summary>Completes when the server has the progress, or newer progress; cancelled if the attempt is or ends before that.</summary>
    public Task SaveProgress(string json)
    {
        Task saved;
        lock (_lock)
        {
            if (IsLost || Outcome is not null)
                return Task.FromException(new OperationCanceledException("the attempt is over: its checkpoint is not saved"));
            saved = (_progress ??= new PendingProgress()).Save(_lastProgress = json);
        }

        progress.Set();
        return saved;
    }

    /// <summary>Takes the pending progress; the next call returns null unless there is new progress.</summary>
    public PendingProgress? TakeProgress()
    {
        lock (_lock)
        {
            var taken = _progress;
            _progress = null;
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

    /// <summary>The worker holds it no more. Releases callers that wait for their progress to be sent: no heartbeat follows.</summary>
    /// <returns>Whether its handler still runs.</returns>
    public bool Removed()
    {
        lock (_lock)
        {
            _isRemoved = true;
            _progress?.End();
            return _isRunning;
        }
    }

    /// <summary>After a failed heartbeat, keeps the progress for the next one unless newer progress exists.</summary>
    public void PutBack(PendingProgress failed)
    {
        lock (_lock)
        {
            (_progress ??= new PendingProgress()).PutBack(failed);
            if (_isRemoved)
                _progress.End();
        }
    }
}
