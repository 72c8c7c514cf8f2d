using System.Collections.Concurrent;

namespace TaskQueue.Engine.Replies;

/// <summary>Callers of this process that wait for the completion of their tasks.</summary>
public sealed class CompletionRouter(TimeProvider time)
{
    /// <summary>Maximum waiting callers (bella.md 2).</summary>
    public const int MaxCallers = 100_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<Guid, WaitingCaller> _callers = new();

    /// <summary>
    /// Registers a caller for a task. Call it before the task is submitted, so that no reply is missed. Null if too many callers wait.
    /// </summary>
    /// <param name="taskId">The task.</param>
    /// <param name="wantsProgress">Whether progress is buffered for the caller; otherwise only the completion is.</param>
    public WaitingCaller? Open(Guid taskId, bool wantsProgress)
    {
        if (_callers.Count >= MaxCallers)
            return null;
        var caller = new WaitingCaller(this, taskId, wantsProgress);
        return _callers.TryAdd(taskId, caller) ? caller : throw new InvalidOperationException($"A caller already waits for {taskId}.");
    }

    /// <summary>Whether a caller of this process waits for the task.</summary>
    public bool Holds(Guid taskId) => _callers.ContainsKey(taskId);

    /// <summary>Delivers a reply to its caller, if it is still connected. Waits for a slow caller, which slows down the worker.</summary>
    /// <returns>Whether the caller exists.</returns>
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

    /// <summary>Same, but disconnects a caller that does not read for 5 s, so that it does not delay those behind it.</summary>
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
    /// Tasks accepted at least <paramref name="since"/> ago whose caller still waits, those not checked for longest first.
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
