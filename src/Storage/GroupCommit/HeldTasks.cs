using TaskQueue.Engine;

namespace TaskQueue.Storage.GroupCommit;

/// <summary>
/// Commands of tasks that another transaction holds or has changed. Each task's are tried again by themselves, in their order, until they
/// are written or have waited too long; later commands of the task queue behind them.
/// </summary>
/// <param name="commit">Commits a group, and returns what it could not write.</param>
/// <param name="time">The clock.</param>
internal sealed class HeldTasks(Func<List<GroupEntry>, Task<List<GroupEntry>>> commit, TimeProvider time) : IDisposable
{
    /// <summary>A held task is tried again until it has waited this long: then its commands fail, and can be repeated.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(5), LongestPause = TimeSpan.FromMilliseconds(250);

    /// <summary>Held tasks that use a connection at the same time; somebody may hold thousands.</summary>
    private const int Together = 4;

    private readonly SemaphoreSlim _turns = new(Together);
    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, List<GroupEntry>> _waiting = [];
    private readonly HashSet<Task> _running = [];

    public void Dispose() => _turns.Dispose();

    /// <summary>Completes when no task is held.</summary>
    public Task Drained
    {
        get
        {
            lock (_lock)
                return Task.WhenAll(_running);
        }
    }

    /// <summary>Queues a command behind earlier ones of its task, if that is held.</summary>
    public bool TryQueue(GroupEntry entry)
    {
        lock (_lock)
        {
            if (!_waiting.TryGetValue(entry.TaskId, out var waiting))
                return false;
            waiting.Add(entry);
            return true;
        }
    }

    /// <summary>Tries commands again, each task's by themselves.</summary>
    public void Hold(List<GroupEntry> entries)
    {
        foreach (var task in entries.GroupBy(e => e.TaskId))
        {
            lock (_lock)
            {
                _waiting.Add(task.Key, []);
                var run = Task.Run(() => RunAsync(task.Key, [.. task]));
                _running.Add(run);
                _ = run.ContinueWith(Forget, TaskScheduler.Default);
            }
        }
    }

    private void Forget(Task run)
    {
        lock (_lock)
            _running.Remove(run);
    }

    private async Task RunAsync(Guid id, List<GroupEntry> entries)
    {
        var (since, pause) = (time.GetTimestamp(), TimeSpan.Zero);
        while (true)
        {
            await _turns.WaitAsync();
            List<GroupEntry> left;
            try
            {
                left = await commit(entries);
            }
            finally
            {
                _turns.Release();
            }

            if (left.Count > 0 && time.GetElapsedTime(since) > LongestWait)
            {
                left.ForEach(e => e.Fail(new OverloadedException("another transaction holds the task; nothing of this request was done: "
                    + "try again")));
                left = [];
            }

            if (left.Count > 0)
            {
                pause = pause == TimeSpan.Zero ? ShortestPause : pause * 2 < LongestPause ? pause * 2 : LongestPause;
                await Task.Delay(pause, time);
            }
            else
            {
                (since, pause) = (time.GetTimestamp(), TimeSpan.Zero);
            }

            lock (_lock)
            {
                entries = [.. left, .. _waiting[id]];
                _waiting[id].Clear();
                if (entries.Count == 0)
                {
                    _waiting.Remove(id);
                    return;
                }
            }
        }
    }
}
