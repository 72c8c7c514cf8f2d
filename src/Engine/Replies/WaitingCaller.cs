using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;

namespace TaskQueue.Engine.Replies;

/// <summary>A caller that waits for one task; disposed when it has left. It holds nothing of the task but its id.</summary>
public sealed class WaitingCaller : IDisposable
{
    /// <summary>Progress that may wait for a slow caller: entries, and characters in them. One entry always may.</summary>
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

    /// <summary>The end of the task.</summary>
    public Task<TaskCompletion> Ended => _ended.Task;

    /// <summary>Progress in order; complete when the task has ended.</summary>
    public ChannelReader<TaskProgress> Progress => _reader ?? throw new InvalidOperationException("This caller wants no progress.");

    /// <summary>When somebody last looked whether the task has ended; null before its acceptance.</summary>
    internal long? LookedAt { get; set; }

    /// <summary>The task was accepted: from now on it can be looked up.</summary>
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

    /// <summary>The caller reads too slowly: it gets an exception instead of the rest.</summary>
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

    /// <summary>Makes room with every entry that is read.</summary>
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
