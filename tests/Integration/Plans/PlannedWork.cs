using TaskQueue.Contracts;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Logs;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Scaling;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Statistics;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Workers;
using TaskQueue.Storage.Logs;
using TaskQueue.Storage.Statistics;
using TaskQueue.Storage.Workers;
using TaskQueue.Tests.Servers;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration.Plans;

/// <summary>Work that makes a store run every hot statement, at the scale of a busy server. It needs <see cref="PlanRows"/>.</summary>
internal sealed class PlannedWork<TStore>(TStore store, DateTime now, ScheduleTick tick)
    where TStore : ITaskStore, IQueueStore, ICallbackStore, IBacklogStore, IWorkerWrites, IStatisticsWrites,
        ITaskLogWrites
{
    public async Task RunAsync()
    {
        await InsertAsync();
        var claimed = await ClaimAsync();
        await SaveAsync(claimed);
        await ReadAsync();
        await SweepAsync();
        await QueuesAsync();
        await CallbacksAsync();
        await FlushAsync();
        await store.ReadBacklogAsync(now, ["q600", "q601"]);
    }

    private async Task InsertAsync()
    {
        await store.InsertAsync([.. Enumerable.Range(0, 600)
            .Select(n => new NewTask(Task($"q{n}", t => t.Tags = n % 2 == 0 ? "t1,t2" : null)))]);
        // Waiting tasks hold half of the keys; those with an ordering key come before its head.
        var duplicates = Enumerable.Range(0, 300).Select(n => new NewTask(
            Task($"q{(3 * n) + 1}", t => t.DedupeKey = n % 2 == 0 ? "k1" : $"k{t.CorrelationId}"), OverwriteFields.Payload));
        var members = Enumerable.Range(0, 300)
            .Select(n => new NewTask(Task($"q{3 * n}", t => (t.OrderingKey, t.Blocked, t.DueAt) = ("t0", true, now.AddDays(-1)))));
        await store.InsertAsync([.. duplicates, .. members]);
        await store.InsertAsync([new(Task("q2"))], tick);
        for (var i = 0; i < 2; i++)
            await store.InsertAsync([new(Task("q1", t => t.DedupeKey = "one"), OverwriteFields.Payload)]);
    }

    private async Task<List<TaskState>> ClaimAsync()
    {
        string[] names = [.. Enumerable.Range(0, 50).Select(n => $"q{n}")];
        List<TaskState> tasks = [.. await ClaimAsync(["q500"], ClaimRules.None),
            .. await ClaimAsync([.. Enumerable.Range(500, 50).Select(n => $"q{n}")], ClaimRules.None)];
        tasks.AddRange(await ClaimAsync(names[..1], Limited(names[..1])));
        tasks.AddRange(await ClaimAsync(names, Limited(names)));
        foreach (var order in new[] { ClaimOrder.Oldest, ClaimOrder.RoundRobin, ClaimOrder.Sequential })
            tasks.AddRange(await store.ClaimAsync(new ClaimRequest([.. names[20..40].Select(n => new QueueTier(n, 0))], 10, "w", 0, order),
                ClaimRules.None, now));
        var request = new ClaimRequest([new QueueTier("q501", 0), new QueueTier("q502", 0)], 5, "w", null);
        tasks.AddRange((await store.ClaimTogetherAsync([request, request], ClaimRules.None, now)).SelectMany(share => share));
        await store.UnlockAsync(new QueueTier(names[20], 0));
        await store.NextDueAsync([.. names.Select(n => new QueueTier(n, 0))], now.AddDays(1));
        return tasks;

        static ClaimRules Limited(string[] queues) => new([.. queues.Select(q => new QueueLimit(q, 1000, new RateLimit(1000, 1000)))], []);
    }

    private Task<IReadOnlyList<TaskState>> ClaimAsync(string[] queues, ClaimRules rules) =>
        store.ClaimAsync(new ClaimRequest([.. queues.SelectMany(q => new QueueTier[] { new(q, 0), new(q, 1) })], 100, "w", null),
            rules, now);

    /// <summary>Completes the claimed tasks, and some dead ones in queues with a limit of dead letters.</summary>
    private async Task SaveAsync(List<TaskState> claimed)
    {
        await using (var session = await store.BeginAsync())
        {
            var tasks = (await session.LoadAsync([.. claimed.Select(t => t.CorrelationId)])).Values.ToList();
            foreach (var task in tasks)
                End(task, task.Queue == "q500");
            var fresh = Task("q7");
            fresh.Record(TaskEventType.Submitted, now);
            await session.SaveAsync([fresh], tasks);
        }

        await using var one = await store.BeginAsync();
        await one.LoadAsync([claimed[0].CorrelationId]);
    }

    private void End(TaskState task, bool dead)
    {
        (task.State, task.Dead, task.FinishedAt, task.DeleteAt) =
            (dead ? TaskStates.Failed : TaskStates.Completed, dead, now, now.AddDays(7));
        (task.LeaseUntil, task.Limited, task.Result) = (null, false, "null");
        task.CompletionActions = """{"CallbackUrl":"http://receiver/x"}""";
        task.Settings = QueueSettings.Default with { DeadLetters = new DeadLetterSettings(MaxSize: 2) };
        task.Record(dead ? TaskEventType.Failed : TaskEventType.Completed, now, frees: task.OrderingKey is not null);
    }

    private async Task SweepAsync()
    {
        foreach (var sweep in Enum.GetValues<Sweep>())
        {
            await store.SelectAsync(sweep, now, 1000);
            await store.NextAsync(sweep, now, TimeSpan.FromSeconds(1));
        }

        await store.RedispatchAllAsync(now);
        await store.RemoveDeletedAsync(now.AddDays(8), 500);
        await store.RemovePublishedAsync(now.AddHours(-1), 500);
    }

    private async Task ReadAsync()
    {
        var offsets = await store.LoadOffsetsAsync();
        var events = await store.ReadEventsAsync(offsets, 1000);
        await store.ReadForDispatchAsync([.. events.Select(e => e.TaskId).Distinct().Take(100)], int.MaxValue);
        foreach (var e in events)
            offsets[e.Partition] = Math.Max(offsets[e.Partition], e.Id);
        await using var lease = await store.TryLeadAsync();
        await lease!.SaveOffsetsAsync(offsets);
    }

    private async Task QueuesAsync()
    {
        await store.StatsAsync("q600", now);
        await store.ApplyLimitsAsync("q600");
        await store.RearmAsync("q609", now);
        await store.AdoptAsync("q603");
        for (var from = PurgeMark.First; from is not null;)
            from = (await store.PurgeAsync("q606", EventPolicy.All, now, 100, now.AddDays(1), from)).Next;
        await store.ResetAsync("q606");
    }

    private async Task CallbacksAsync()
    {
        var claim = new CallbackClaim(now.AddSeconds(40), 20, new CallbackLimits(4, 8, 56),
            [.. Enumerable.Repeat(new CallbackSlot("o1", "https://h1.example:443"), 4), new("o2", "https://h2.example:443")]);
        var taken = await store.TakeAsync(claim, now);
        (taken[0].State, taken[0].FinishedAt) = (CallbackState.Delivered, now);
        await store.SettleAsync(taken[0]);
        await store.NextCallbackAsync();
        await store.RemoveSettledAsync(now.AddDays(-7), 500);
    }

    /// <summary>What processes write every second or two: first new rows, then the same again.</summary>
    private async Task FlushAsync()
    {
        var contact = new WorkerContact(WorkerContact.Http, "o1") { Version = "1", Instance = "i" };
        List<WorkerSighting> sightings = [.. Enumerable.Range(0, 100).Select(n => new WorkerKey("o1", "key", $"w{n}"))
            .Select(k => new WorkerSighting(new WorkerEntry(k, now).Id, k, contact, "q1", now, now, HasStopped: false))];
        List<MinuteCounts> counts = [.. Enumerable.Range(0, 100).Select(n =>
            new MinuteCounts($"q{n}", "o1", now.Date, [.. Enumerable.Repeat(1L, StatisticsCounts.Length)]))];
        for (var i = 0; i < 2; i++)
        {
            await store.WriteWorkersAsync(sightings, default);
            await store.AddCountsAsync(counts, default);
        }

        await store.AddLogsAsync([.. Enumerable.Range(0, 100).Select(_ => new TaskLogRow
        {
            TaskId = Guid.NewGuid(), Number = 1, Count = 1, Bytes = 1, Attempt = 1, Lines = "[]",
        })], default);
    }

    private TaskState Task(string queue, Action<TaskState>? change = null) => New(queue, t =>
    {
        (t.CreatedAt, t.DueAt) = (now, now);
        change?.Invoke(t);
    });
}
