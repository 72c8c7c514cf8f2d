using System.Collections.Concurrent;

namespace TaskQueue.Engine.Replies;

/// <summary>The callers of this process that wait for the ends of their tasks.</summary>
public sealed class CompletionRouter(TimeProvider time)
{
    /// <summary>Callers that may wait at once (bella.md 2).</summary>
    public const int MaxCallers = 100_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<Guid, WaitingCaller> _callers = new();

    /// <summary>
    /// Waits for a task from now on; open it before the task is submitted, so that no reply is missed. Null where too many wait.
    /// </summary>
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
    public async ValueTask<bool> DeliverAsync(Reply reply, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(reply);
        if (!_callers.TryGetValue(reply.TaskId, out var caller))
            return false;
        if (reply.Progress is { } progress)
            await caller.AddAsync(progress, cancellationToken);
        if (reply.End is { } end)
            caller.Finish(end);
        return true;
    }

    /// <summary>
    /// The same, but a caller that does not read for 5 s loses its place, and its connection is cut: it must not hold up those behind it.
    /// </summary>
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

    /// <summary>
    /// Tasks for which a caller has waited at least so long since their acceptance, those not looked at for longest first.
    /// </summary>
    internal List<Guid> Unheard(TimeSpan since, int max)
    {
        var now = time.GetTimestamp();
        var waiting = _callers.Values.Where(c => c.LookedAt is { } at && time.GetElapsedTime(at, now) >= since).OrderBy(c => c.LookedAt)
            .Take(max).ToList();
        waiting.ForEach(c => c.LookedAt = now);
        return waiting.ConvertAll(c => c.TaskId);
    }

    internal void Leave(WaitingCaller caller) => _callers.TryRemove(new(caller.TaskId, caller));

    internal long Now => time.GetTimestamp();
}
