using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;

namespace TaskQueue.Engine.Replies;

/// <summary>A caller waiting for one task; dispose it when the caller leaves. Holds only the id of the task.</summary>
public sealed class WaitingCaller : IDisposable
{
    /// <summary>Buffered progress of a slow caller: maximum entries, and characters in them. A single entry is always buffered.</summary>
    private const int MaxWaiting = 256, MaxWaitingChars = 256 * 1024;

    private readonly CompletionRouter _router;
    private readonly Channel<TaskProgress>? _progress;
    private readonly TaskCompletionSource<TaskCompletion> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private readonly CountedReader? _reader;
    private TaskCompletionSource? _room;
    private int _chars;
    private bool _hasLeft;

    internal WaitingCaller(CompletionRouter router, Guid taskId, bool wantsProgress)
    {
        _router = router;
        TaskId = taskId;
        _progress = wantsProgress
            ? Channel.CreateBounded<TaskProgress>(new BoundedChannelOptions(MaxWaiting) { SingleReader = true }) : null;
        _reader = _progress is null ? null : new CountedReader(this, _progress.Reader);
    }

    /// <summary>The task.</summary>
    public Guid TaskId { get; }

    /// <summary>Completes when the task ends.</summary>
    public Task<TaskCompletion> Ended => _ended.Task;

    /// <summary>Progress in order; completes when the task ends.</summary>
    public ChannelReader<TaskProgress> Progress => _reader ?? throw new InvalidOperationException("This caller wants no progress.");

    /// <summary>Timestamp of the last check whether the task has ended; null before its acceptance.</summary>
    internal long? LookedAt { get; set; }

    /// <summary>Marks the task as accepted: from now on its completion can be looked up.</summary>
    public void Accepted() => LookedAt = _router.Now;

    /// <inheritdoc />
    public void Dispose()
    {
        _router.Leave(this);
        Close(null);
    }

    internal async ValueTask AddAsync(TaskProgress progress, CancellationToken cancellationToken)
    {
        if (_progress is null)
            return;
        try
        {
            while (!TryCount(progress.Data.Length, out var room))
                await room.WaitAsync(cancellationToken);
            await _progress.Writer.WriteAsync(progress, cancellationToken);
        }
        catch (ChannelClosedException)
        {
            // The caller has left, or the task has ended.
        }
    }

    /// <summary>Disconnects a caller that reads too slowly: it gets an exception.</summary>
    internal void GiveUp()
    {
        var fault = new TimeoutException("The caller reads too slowly.");
        Close(fault);
        _ended.TrySetException(fault);
    }

    internal void Finish(TaskCompletion end)
    {
        _ended.TrySetResult(end);
        Close(null);
    }

    private void Close(Exception? fault)
    {
        _progress?.Writer.TryComplete(fault);
        lock (_lock)
        {
            _hasLeft = true;
            _room?.TrySetResult();
        }
    }

    private bool TryCount(int chars, out Task room)
    {
        lock (_lock)
        {
            if (_hasLeft || _chars == 0 || _chars + chars <= MaxWaitingChars)
            {
                _chars += chars;
                room = Task.CompletedTask;
                return true;
            }

            room = (_room ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            return false;
        }
    }

    private void Taken(int chars)
    {
        lock (_lock)
        {
            _chars -= chars;
            _room?.TrySetResult();
            _room = null;
        }
    }

    /// <summary>Frees buffer space for every entry read.</summary>
    private sealed class CountedReader(WaitingCaller caller, ChannelReader<TaskProgress> inner) : ChannelReader<TaskProgress>
    {
        public override Task Completion => inner.Completion;

        public override bool TryRead([MaybeNullWhen(false)] out TaskProgress item)
        {
            if (!inner.TryRead(out item))
                return false;
            caller.Taken(item.Data.Length);
            return true;
        }

        public override ValueTask<bool> WaitToReadAsync(CancellationToken cancellationToken = default) =>
            inner.WaitToReadAsync(cancellationToken);
    }
}
