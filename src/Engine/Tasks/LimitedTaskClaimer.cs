namespace TaskQueue.Engine.Tasks;

/// <summary>
/// Claims from queues with limits, and claims in strict order, block each other at the database until commit. Those of a process for the
/// same targets are therefore combined, without a timer: a group is whatever arrived while the last one committed.
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
                // Requests that got nothing because the group reached its bytes go first in the next one.
                var isFull = 2 * claimed.Sum(tasks => tasks.Sum(TaskClaimer.BytesOf)) > BytesOf(group);
                Return(name, [.. group.Where((e, i) => isFull && claimed[i].Count == 0 && e.Request.Order != ClaimOrder.Sequential)]);
                foreach (var (entry, tasks) in group.Zip(claimed)
                    .Where(e => e.Second.Count > 0 || !isFull || e.First.Request.Order == ClaimOrder.Sequential))
                    entry.Claimed.SetResult(tasks);
            }
#pragma warning disable CA1031 // rethrown to the callers
            catch (Exception fault)
#pragma warning restore CA1031
            {
                group.ForEach(e => e.Claimed.TrySetException(fault));
            }
        }
    }

    /// <summary>A sequential claim locks what it leaves, so there is nothing for the requests behind it.</summary>
    private List<ClaimRequest> Requests(List<Entry> group) =>
        [.. group.Select((e, place) => e.Request with
        {
            Max = e.Request.Order != ClaimOrder.Sequential ? e.Request.Max : place == 0 ? e.Request.Targets.Count : 0,
            MaxBytes = BytesOf(group),
        })];

    /// <summary>Maximum bytes of the group: each request has reserved memory for its own share.</summary>
    private long BytesOf(List<Entry> group) =>
        Math.Min(Math.Max(maxBytes, group.Max(e => e.Request.MaxBytes)), group.Sum(e => e.Request.MaxBytes));

    private void Return(string name, List<Entry> entries)
    {
        lock (_lock)
            _lines[name].InsertRange(0, entries);
    }

    /// <summary>The next group; null if no request waits, which closes the line.</summary>
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
