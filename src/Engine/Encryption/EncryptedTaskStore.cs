using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Encryption;

/// <summary>Encrypts what goes into a store and decrypts what comes out of it, so that no statement knows of it.</summary>
internal sealed partial class EncryptedTaskStore(ITaskStore inner, DataCipher cipher, ILogger<EncryptedTaskStore> logger) : ITaskStore
{
    private readonly TaskCipher _tasks = new(cipher);

    public async Task<ITaskSession> BeginAsync() => new EncryptedTaskSession(await inner.BeginAsync(), _tasks);

    public async Task<IReadOnlyList<Admission>?> InsertAsync(IReadOnlyList<NewTask> tasks, InsertStep? step = null)
    {
        var answers = await inner.InsertAsync(Seal(tasks), Seal(step));
        if (answers is null)
            return null;
        foreach (var answer in answers)
        {
            if (answer.Task is { } task)
                _tasks.OpenOrExplain(task); // what was written stands, whatever the state of the task it met
        }

        return answers;
    }

    public async Task<IReadOnlyList<TaskState>> ClaimAsync(ClaimRequest request, ClaimRules rules, DateTime now) =>
        Readable(await inner.ClaimAsync(request, rules, now), mayBeNone: false);

    public async Task<IReadOnlyList<IReadOnlyList<TaskState>>> ClaimTogetherAsync(IReadOnlyList<ClaimRequest> requests, ClaimRules rules, DateTime now) =>
        [.. (await inner.ClaimTogetherAsync(requests, rules, now)).Select(tasks => Readable(tasks, mayBeNone: true))];

    /// <summary>Those that cannot be read wait to be dispatched.</summary>
    public async Task<IReadOnlyList<TaskState>> ReadForDispatchAsync(IReadOnlyList<Guid> ids) => Readable(await inner.ReadForDispatchAsync(ids), mayBeNone: true);

    public async Task<IReadOnlyList<TaskEvent>> ReadEventsAsync(long[] cursors, int max)
    {
        var events = await inner.ReadEventsAsync(cursors, max);
        foreach (var taskEvent in events)
        {
            if (DataCipher.IsMarked(taskEvent.Error))
                _tasks.Open(taskEvent);
        }

        return events;
    }

    public Task UnlockAsync(QueueLevel level) => inner.UnlockAsync(level);

    public Task<DateTime?> NextDueAsync(IReadOnlyList<QueueLevel> targets, DateTime now) => inner.NextDueAsync(targets, now);

    public Task<IReadOnlyList<Guid>> SelectAsync(Sweep sweep, DateTime now, int max) => inner.SelectAsync(sweep, now, max);

    public Task<DateTime?> NextAsync(Sweep sweep) => inner.NextAsync(sweep);

    public Task FollowClockAsync(DateTime now) => inner.FollowClockAsync(now);

    public Task RedispatchAllAsync(DateTime now) => inner.RedispatchAllAsync(now);

    public Task<IRelayLease?> TryLeadRelayAsync(Action wake, CancellationToken stop) => inner.TryLeadRelayAsync(wake, stop);

    public Task WakeRelayAsync() => inner.WakeRelayAsync();

    public Task<long[]> LoadCursorsAsync() => inner.LoadCursorsAsync();

    public Task SaveCursorsAsync(long[] cursors) => inner.SaveCursorsAsync(cursors);

    public Task<long[]> EndOfEventsAsync() => inner.EndOfEventsAsync();

    private IReadOnlyList<NewTask> Seal(IReadOnlyList<NewTask> tasks)
    {
        List<NewTask>? sealedTasks = null;
        for (var i = 0; i < tasks.Count; i++)
        {
            var task = tasks[i].Task;
            var stored = _tasks.Seal(task, TaskCipher.All);
            if (sealedTasks is null && ReferenceEquals(stored, task))
                continue;
            sealedTasks ??= [.. tasks.Take(i)];
            sealedTasks.Add(tasks[i] with { Task = stored, PayloadFor = id => _tasks.SealPayload(id, task.Payload) });
        }

        return sealedTasks ?? tasks;
    }

    private InsertStep? Seal(InsertStep? step) =>
        step is BatchStep { Bad.Count: > 0 } lines ? lines with { Bad = [.. lines.Bad.Select(line => BadLineCipher.Seal(cipher, line, lines.BatchId))] } : step;

    /// <summary>
    /// Leaves out tasks that cannot be opened, so that one does not hold up the others: their lease expires, and they are tried
    /// again as their queue says. A worker that would get nothing else is told why.
    /// </summary>
    private IReadOnlyList<TaskState> Readable(IReadOnlyList<TaskState> tasks, bool mayBeNone)
    {
        List<TaskState>? unreadable = null;
        UnreadableDataException? problem = null;
        foreach (var task in tasks)
        {
            try
            {
                _tasks.Open(task);
            }
            catch (UnreadableDataException fault)
            {
                LogUnreadable(task.CorrelationId, task.Queue, fault.Message);
                problem = fault;
                (unreadable ??= []).Add(task);
            }
        }

        if (unreadable is null)
            return tasks;
        return unreadable.Count < tasks.Count || mayBeNone ? [.. tasks.Except(unreadable)] : throw problem!;
    }

    [LoggerMessage(LogLevel.Error, "Task {TaskId} of queue {Queue} cannot be handed to a worker: {Problem}")]
    private partial void LogUnreadable(Guid taskId, string queue, string problem);
}
