namespace TaskQueue.Engine.Tasks;

/// <summary>
/// Claims from queues with limits, and those in a strict order, wait for each other at the database, until the
/// commit of the one before. So those of a process that ask for the same go through together, without a timer: whatever came while the last
/// ones
/// committed.
/// </summary>
internal sealed class LimitedTaskClaimer(ITaskStore store, long maxBytes)
{
    private const int MaxTasks = 2000;

    private readonly Dictionary<string, List<Entry>> _lines = [];
    private readonly Lock _lock = new();

    public Task<IReadOnlyList<TaskState>> ClaimAsync(ClaimRequest request, ClaimRules rules, DateTime now)
    {
        var entry = new Entry(request, rules, now);
        var name = $"{request.Order} {request.MinAgeMs} {request.MaxRetries} {request.LockMs} "
            + $"{string.Join(' ', request.Targets.Select(t => $"{t.Queue}:{t.Tier}"))}";
        lock (_lock)
        {
            if (_lines.TryGetValue(name, out var line))
            {
                line.Add(entry);
                return entry.Claimed.Task;
            }

            _lines[name] = [entry];
        }

        _ = RunAsync(name);
        return entry.Claimed.Task;
    }

    private async Task RunAsync(string name)
    {
        while (Next(name) is { } group)
        {
            try
            {
                var claimed = await store.ClaimTogetherAsync(Requests(group), group[^1].Rules, group.Max(e => e.Now));
                // Those that got nothing because the group had its bytes go first in the next one.
                var isFull = 2 * claimed.Sum(tasks => tasks.Sum(TaskClaimer.BytesOf)) > BytesOf(group);
                Return(name, [.. group.Where((e, i) => isFull && claimed[i].Count == 0 && e.Request.Order != ClaimOrder.Sequential)]);
                foreach (var (entry, tasks) in group.Zip(claimed)
                    .Where(e => e.Second.Count > 0 || !isFull || e.First.Request.Order == ClaimOrder.Sequential))
                    entry.Claimed.SetResult(tasks);
            }
#pragma warning disable CA1031 // the callers get it
            catch (Exception fault)
#pragma warning restore CA1031
            {
                group.ForEach(e => e.Claimed.TrySetException(fault));
            }
        }
    }

    /// <summary>What a sequential claim leaves is locked, so there is nothing for those behind it.</summary>
    private List<ClaimRequest> Requests(List<Entry> group) =>
        [.. group.Select((e, place) => e.Request with
        {
            Max = e.Request.Order != ClaimOrder.Sequential ? e.Request.Max : place == 0 ? e.Request.Targets.Count : 0,
            MaxBytes = BytesOf(group),
        })];

    /// <summary>What all together may get: each has reserved memory for its own part.</summary>
    private long BytesOf(List<Entry> group) =>
        Math.Min(Math.Max(maxBytes, group.Max(e => e.Request.MaxBytes)), group.Sum(e => e.Request.MaxBytes));

    private void Return(string name, List<Entry> entries)
    {
        lock (_lock)
            _lines[name].InsertRange(0, entries);
    }

    /// <summary>Those who go next; null where nobody waits any more, and then the line is closed.</summary>
    private List<Entry>? Next(string name)
    {
        lock (_lock)
        {
            var line = _lines[name];
            if (line.Count == 0)
            {
                _lines.Remove(name);
                return null;
            }

            var (count, tasks) = (0, 0);
            while (count < line.Count && (tasks += line[count].Request.Max) <= MaxTasks)
                count++;
            var group = line.GetRange(0, Math.Max(1, count));
            line.RemoveRange(0, group.Count);
            return group;
        }
    }

    private sealed record Entry(ClaimRequest Request, ClaimRules Rules, DateTime Now)
    {
        public TaskCompletionSource<IReadOnlyList<TaskState>> Claimed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
