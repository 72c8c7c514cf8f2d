using System.Collections.Concurrent;
using System.Threading.Channels;

namespace TaskQueue.Engine.Replies;

/// <summary>The callers of this process that wait for the ends of their tasks.</summary>
public sealed class ReplyDesk(TimeProvider time)
{
    /// <summary>Callers that may wait at once (bella.md 2).</summary>
    public const int MaxCallers = 100_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<Guid, WaitingCaller> _callers = new();

    /// <summary>Waits for a task from now on; open it before the task is submitted, so that no reply is missed. Null where too many wait.</summary>
    /// <param name="taskId">The task.</param>
    /// <param name="wantsProgress">Whether progress is kept for the caller, or only the end counts.</param>
    public WaitingCaller? Open(Guid taskId, bool wantsProgress)
    {
        if (_callers.Count >= MaxCallers)
            return null;
        var caller = new WaitingCaller(this, taskId, wantsProgress);
        return _callers.TryAdd(taskId, caller) ? caller : throw new InvalidOperationException($"Somebody waits for {taskId} already.");
    }

    /// <summary>Whether a caller of this process waits for the task.</summary>
    public bool Holds(Guid taskId) => _callers.ContainsKey(taskId);

    /// <summary>Hands a reply to the caller, if it is still there. Where that one reads slowly, this waits: the worker feels it.</summary>
    /// <returns>Whether there was such a caller.</returns>
    public async ValueTask<bool> DeliverAsync(Reply reply, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(reply);
        if (!_callers.TryGetValue(reply.TaskId, out var caller))
            return false;
        if (reply.Progress is { } progress)
            await caller.AddAsync(progress, stop);
        if (reply.End is { } end)
            caller.Finish(end);
        return true;
    }

    /// <summary>The same, but a caller that does not read for 5 s loses its place, and its connection is cut: it must not hold up those behind it.</summary>
    public async Task DeliverOrDropAsync(Reply reply)
    {
        ArgumentNullException.ThrowIfNull(reply);
        var delivery = DeliverAsync(reply, CancellationToken.None);
        if (delivery.IsCompleted)
            return;
        try
        {
            await delivery.AsTask().WaitAsync(Patience, time);
        }
        catch (TimeoutException)
        {
            if (_callers.TryGetValue(reply.TaskId, out var caller))
                caller.GiveUp();
        }
    }

    /// <summary>Tasks for which a caller has waited at least so long since their acceptance, those not looked at for longest first.</summary>
    internal List<Guid> Unheard(TimeSpan since, int max)
    {
        var now = time.GetTimestamp();
        var waiting = _callers.Values.Where(c => c.LookedAt is { } at && time.GetElapsedTime(at, now) >= since).OrderBy(c => c.LookedAt).Take(max).ToList();
        waiting.ForEach(c => c.LookedAt = now);
        return waiting.ConvertAll(c => c.TaskId);
    }

    internal void Leave(WaitingCaller caller) => _callers.TryRemove(new(caller.TaskId, caller));

    internal long Now => time.GetTimestamp();
}

/// <summary>A caller that waits for one task; disposed when it has left.</summary>
public sealed class WaitingCaller : IDisposable
{
    /// <summary>Progress that may wait for a slow caller.</summary>
    private const int MaxWaiting = 256;

    private readonly ReplyDesk _desk;
    private readonly Channel<TaskProgress>? _progress;
    private readonly TaskCompletionSource<TaskEnd> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal WaitingCaller(ReplyDesk desk, Guid taskId, bool wantsProgress)
    {
        _desk = desk;
        TaskId = taskId;
        _progress = wantsProgress ? Channel.CreateBounded<TaskProgress>(new BoundedChannelOptions(MaxWaiting) { SingleReader = true }) : null;
    }

    /// <summary>The task.</summary>
    public Guid TaskId { get; }

    /// <summary>The end of the task.</summary>
    public Task<TaskEnd> Ended => _ended.Task;

    /// <summary>Progress in order; complete when the task has ended.</summary>
    public ChannelReader<TaskProgress> Progress => _progress?.Reader ?? throw new InvalidOperationException("This caller wants no progress.");

    /// <summary>When somebody last looked whether the task has ended; null before its acceptance.</summary>
    internal long? LookedAt { get; set; }

    /// <summary>The task was accepted: from now on it can be looked up.</summary>
    public void Accepted() => LookedAt = _desk.Now;

    /// <inheritdoc />
    public void Dispose()
    {
        _desk.Leave(this);
        _progress?.Writer.TryComplete();
    }

    internal async ValueTask AddAsync(TaskProgress progress, CancellationToken stop)
    {
        if (_progress is null)
            return;
        try
        {
            await _progress.Writer.WriteAsync(progress, stop);
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
        _progress?.Writer.TryComplete(fault);
        _ended.TrySetException(fault);
    }

    internal void Finish(TaskEnd end)
    {
        _ended.TrySetResult(end);
        _progress?.Writer.TryComplete();
    }
}
