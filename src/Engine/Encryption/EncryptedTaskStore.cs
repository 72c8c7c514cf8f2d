using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Encryption;

/// <summary>Encrypts what goes into a store and decrypts what comes out of it, so that no statement deals with encryption.</summary>
internal sealed class EncryptedTaskStore(ITaskStore inner, DataCipher cipher, UnreadableTasks unreadableTasks) : ITaskStore
{
    private readonly TaskCipher _tasks = new(cipher);

    public async Task<ITaskSession> BeginAsync() => new EncryptedTaskSession(await inner.BeginAsync(), _tasks);

    public async Task<IReadOnlyList<SubmitResult>?> InsertAsync(IReadOnlyList<NewTask> tasks, InsertStep? step = null)
    {
        var answers = await inner.InsertAsync(Seal(tasks), Seal(step));
        if (answers is null)
            return null;
        foreach (var answer in answers)
        {
            if (answer.Task is { } task)
                _tasks.OpenOrExplain(task); // the insert is committed even if the existing task cannot be decrypted
        }

        return answers;
    }

    public async Task<IReadOnlyList<TaskState>> ClaimAsync(ClaimRequest request, ClaimRules rules, DateTime now) =>
        Claimed(await inner.ClaimAsync(request, rules, now));

    public async Task<IReadOnlyList<IReadOnlyList<TaskState>>> ClaimTogetherAsync(
        IReadOnlyList<ClaimRequest> requests, ClaimRules rules, DateTime now) =>
        [.. (await inner.ClaimTogetherAsync(requests, rules, now)).Select(tasks => Readable(tasks, unreadableTasks.PutBack).Tasks)];

    /// <summary>
    /// Tasks that cannot be decrypted keep waiting for dispatch. If none of a page can, the next page is read: an empty one would end the
    /// read.
    /// </summary>
    public async Task<IReadOnlyList<TaskState>> ReadForDispatchAsync(IReadOnlyList<Guid> ids, long maxBytes)
    {
        while (true)
        {
            var read = await inner.ReadForDispatchAsync(ids, maxBytes);
            if (read.Count == 0)
                return read;
            var last = read[^1].CorrelationId;
            if (Readable(read, unreadableTasks.Report).Tasks is { Count: > 0 } tasks)
                return tasks;
            ids = [.. ids.Where(id => id.CompareTo(last) > 0)];
            if (ids.Count == 0)
                return [];
        }
    }

    public async Task<IReadOnlyList<TaskEvent>> ReadEventsAsync(long[] cursors, int max)
    {
        var events = await inner.ReadEventsAsync(cursors, max);
        foreach (var taskEvent in events)
        {
            if (!DataCipher.IsMarked(taskEvent.Error))
                continue;
            _tasks.Open(taskEvent);
            taskEvent.Error = TaskEvent.Cut(taskEvent.Error);
        }

        return events;
    }

    public Task UnlockAsync(QueueTier tier) => inner.UnlockAsync(tier);

    public Task<DateTime?> NextDueAsync(IReadOnlyList<QueueTier> targets, DateTime now) => inner.NextDueAsync(targets, now);

    public Task<IReadOnlyList<Guid>> SelectAsync(Sweep sweep, DateTime now, int max) => inner.SelectAsync(sweep, now, max);

    public Task<DateTime?> NextAsync(Sweep sweep, DateTime now, TimeSpan ahead) => inner.NextAsync(sweep, now, ahead);

    public Task FollowClockAsync(DateTime now) => inner.FollowClockAsync(now);

    public Task RedispatchAllAsync(DateTime now) => inner.RedispatchAllAsync(now);

    public Task<OutboxLeaseAnswer> TryAcquireOutboxLeaseAsync(string address, Action wake, CancellationToken cancellationToken) =>
        inner.TryAcquireOutboxLeaseAsync(address, wake, cancellationToken);

    public Task<long[]> LoadOffsetsAsync() => inner.LoadOffsetsAsync();

    public Task<long[]> LoadFailoverOffsetsAsync() => inner.LoadFailoverOffsetsAsync();

    public void NoteWaiting(QueueTier target, DateTime? firstDue) => inner.NoteWaiting(target, firstDue);

    public Task<int> RemovePublishedAsync(DateTime before, int max) => inner.RemovePublishedAsync(before, max);

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
            var open = tasks[i].PayloadFor;
            sealedTasks.Add(tasks[i] with
            {
                Task = stored, PayloadFor = id => _tasks.SealPayload(id, open is null ? task.Payload : open(id)),
            });
        }

        return sealedTasks ?? tasks;
    }

    private InsertStep? Seal(InsertStep? step) =>
        step is BatchStep { Bad.Count: > 0 } lines
            ? lines with { Bad = [.. lines.Bad.Select(line => BadLineCipher.Seal(cipher, line, lines.BatchId))] }
            : step;

    /// <summary>Reports the problem to a worker that would otherwise get nothing.</summary>
    private IReadOnlyList<TaskState> Claimed(IReadOnlyList<TaskState> tasks)
    {
        var (readable, problem) = Readable(tasks, unreadableTasks.PutBack);
        return readable.Count > 0 || problem is null ? readable : throw problem;
    }

    /// <summary>Skips tasks that cannot be decrypted, so that one does not block the others.</summary>
    private (IReadOnlyList<TaskState> Tasks, UnreadableDataException? Problem) Readable(
        IReadOnlyList<TaskState> tasks, Action<TaskState, string> report)
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
                report(task, fault.Message);
                problem = fault;
                (unreadable ??= []).Add(task);
            }
        }

        return (unreadable is null ? tasks : [.. tasks.Except(unreadable)], problem);
    }
}
