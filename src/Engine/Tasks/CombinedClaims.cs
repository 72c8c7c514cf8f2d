namespace TaskQueue.Engine.Tasks;

/// <summary>
/// Combines the claims of a process for the same targets, without a timer: a group is whatever arrived while the last one committed. So
/// many workers that claim one task each cost a transaction a group; and claims that block each other at the database until commit, those
/// from queues with limits and those in strict order, wait here instead.
/// </summary>
/// <param name="store">The store.</param>
/// <param name="maxBytes">Maximum bytes of a group.</param>
/// <param name="parallel">Groups for the same targets that run at a time.</param>
/// <param name="maxTasks">Maximum tasks of a group of more than one request.</param>
internal sealed class CombinedClaims(ITaskStore store, long maxBytes, int parallel, int maxTasks)
{
    private readonly Dictionary<string, Line> _lines = [];
    private readonly Lock _lock = new();

    public Task<ClaimedShare> ClaimAsync(ClaimRequest request, ClaimRules rules, DateTime now)
    {
        var entry = new Entry(request, rules, now);
        var name = $"{request.Order} {request.MinAgeMs} {request.MaxRetries} {request.LockMs} "
            + $"{string.Join(' ', request.Targets.Select(t => $"{t.Queue}:{t.Tier}"))}";
        lock (_lock)
        {
            if (!_lines.TryGetValue(name, out var line))
                _lines[name] = line = new Line();
            line.Waiting.Add(entry);
            if (line.Running == parallel)
                return entry.Claimed.Task;
            line.Running++;
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
                var claimed = await ClaimAsync(group);
                // Requests that got nothing because the group reached its bytes go first in the next one.
                var isFull = 2 * claimed.Sum(tasks => tasks.Sum(TaskClaimer.BytesOf)) > BytesOf(group);
                Return(name, [.. group.Where((e, i) => isFull && claimed[i].Count == 0 && e.Request.Order != ClaimOrder.Sequential)]);
                // The bytes cut the shares of those that got fewer than they wanted. One more tells of it, for the tasks that this claim
                // locked and did not take, which others did not see meanwhile.
                var first = claimed.ToList().FindIndex(tasks => tasks.Count > 0);
                isFull &= group.Zip(claimed).Any(e => e.Second.Count < e.First.Request.Max);
                foreach (var (place, (entry, tasks)) in group.Zip(claimed).Index())
                {
                    var isLocking = entry.Request.Order == ClaimOrder.Sequential;
                    if (tasks.Count > 0 || !isFull || isLocking)
                        entry.Claimed.SetResult(
                            new(tasks, isFull && !isLocking && (place == first || tasks.Count < entry.Request.Max)));
                }
            }
#pragma warning disable CA1031 // rethrown to the callers
            catch (Exception fault)
#pragma warning restore CA1031
            {
                group.ForEach(e => e.Claimed.TrySetException(fault));
            }
        }
    }

    private async Task<IReadOnlyList<IReadOnlyList<TaskState>>> ClaimAsync(List<Entry> group)
    {
        var (requests, rules, now) = (Requests(group), group[^1].Rules, group.Max(e => e.Now));
        return requests.Count == 1 ? [await store.ClaimAsync(requests[0], rules, now)]
            : await store.ClaimTogetherAsync(requests, rules, now);
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
            _lines[name].Waiting.InsertRange(0, entries);
    }

    /// <summary>The next group; null if no request waits, which ends this run of the line.</summary>
    private List<Entry>? Next(string name)
    {
        lock (_lock)
        {
            var (all, line) = (_lines[name], _lines[name].Waiting);
            if (line.Count == 0)
            {
                if (--all.Running == 0)
                    _lines.Remove(name);
                return null;
            }

            var (count, tasks) = (0, 0);
            while (count < line.Count && (tasks += line[count].Request.Max) <= maxTasks)
                count++;
            var group = line.GetRange(0, Math.Max(1, count));
            line.RemoveRange(0, group.Count);
            return group;
        }
    }

    /// <summary>Requests for the same targets.</summary>
    private sealed class Line
    {
        public List<Entry> Waiting { get; } = [];

        public int Running { get; set; }
    }

    private sealed record Entry(ClaimRequest Request, ClaimRules Rules, DateTime Now)
    {
        public TaskCompletionSource<ClaimedShare> Claimed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}

/// <summary>The tasks of one request.</summary>
/// <param name="Tasks">The tasks.</param>
/// <param name="IsCut">Whether the byte limit ended the claim, so that there may be more.</param>
internal readonly record struct ClaimedShare(IReadOnlyList<TaskState> Tasks, bool IsCut);
