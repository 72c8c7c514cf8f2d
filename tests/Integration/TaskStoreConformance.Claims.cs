using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

public abstract partial class TaskStoreConformance
{
    [Fact]
    public async Task Combined_claims_of_a_limited_queue_share_its_capacity_in_their_order()
    {
        await fixture.Engine.Services.GetRequiredService<IQueueStore>().ApplyLimitsAsync("limited");
        var tasks = Enumerable.Range(0, 7).Select(_ => New("limited", t => t.DefaultLeaseMs = 7000)).ToList();
        await Store.InsertAsync(tasks);
        ClaimRequest[] requests =
        [
            Request(2, "limited") with { Worker = "a", LeaseMs = 1000 }, Request(1, "limited") with { Worker = "b", LeaseMs = null },
            Request(5, "limited") with { Worker = "c", LeaseMs = 3000 }, Request(5, "limited") with { Worker = "d" },
        ];

        var claimed = await Store.ClaimTogetherAsync(requests, new ClaimRules([new QueueLimit("limited", 5, null)], []), Later);

        claimed.Select(c => c.Count).ShouldBe([2, 1, 2, 0]);
        claimed.SelectMany(c => c).Select(t => t.CorrelationId).ShouldBe(tasks.Take(5).Select(t => t.CorrelationId));
        claimed.SelectMany(c => c).Select(t => (t.Worker, t.LeaseMs, t.LeaseUntil, t.Limited)).ShouldBe(
        [
            ("a", 1000, Later.AddSeconds(1), true), ("a", 1000, Later.AddSeconds(1), true), ("b", 7000, Later.AddSeconds(7), true),
            ("c", 3000, Later.AddSeconds(3), true), ("c", 3000, Later.AddSeconds(3), true),
        ]);
        (await Database.EventsOfAsync(tasks[2].CorrelationId)).Last().Worker.ShouldBe("b");
        (await Store.ClaimTogetherAsync(requests, new ClaimRules([new QueueLimit("limited", 5, null)], []), Later))
            .ShouldAllBe(c => c.Count == 0);
    }

    [Fact]
    public async Task Requests_without_limits_share_a_claim_each_with_its_own_worker_and_lease()
    {
        var tasks = Enumerable.Range(0, 6).Select(n => New("plain", t => t.DueAt = T0.AddSeconds(n))).ToList();
        await Store.InsertAsync(tasks);
        ClaimRequest[] requests =
        [
            Request(2, "plain") with { Worker = "a", LeaseMs = 1000, Credential = "key-a" },
            Request(1, "plain") with { Worker = "b", LeaseMs = 7000 }, Request(5, "plain") with { Worker = "c", LeaseMs = 3000 },
            Request(5, "plain") with { Worker = "d" },
        ];

        var claimed = await Store.ClaimTogetherAsync(requests, ClaimRules.None, Later);

        claimed.Select(c => c.Count).ShouldBe([2, 1, 3, 0]);
        claimed.SelectMany(c => c).Select(t => t.CorrelationId).ShouldBe(tasks.Select(t => t.CorrelationId));
        claimed.SelectMany(c => c).Select(t => (t.Worker, t.LeaseMs, t.LeaseUntil, t.ClaimedBy)).ShouldBe(
        [
            ("a", 1000, Later.AddSeconds(1), "key-a"), ("a", 1000, Later.AddSeconds(1), "key-a"), ("b", 7000, Later.AddSeconds(7), null),
            ("c", 3000, Later.AddSeconds(3), null), ("c", 3000, Later.AddSeconds(3), null), ("c", 3000, Later.AddSeconds(3), null),
        ]);
        (await Database.EventsOfAsync(tasks[2].CorrelationId)).Last().Worker.ShouldBe("b");
        (await Store.ClaimTogetherAsync(requests, ClaimRules.None, Later)).ShouldAllBe(c => c.Count == 0);
    }

    [Fact]
    public async Task A_shared_claim_ends_at_its_bytes_and_leaves_the_rest()
    {
        var tasks = Enumerable.Range(0, 4)
            .Select(n => New("large", t => (t.DueAt, t.Payload) = (T0.AddSeconds(n), $"\"{new string('x', 998)}\""))).ToList();
        await Store.InsertAsync(tasks);
        var requests = Enumerable.Repeat(Request(1, "large") with { MaxBytes = 2000 }, 4).ToList();

        (await Store.ClaimTogetherAsync(requests, ClaimRules.None, Later)).Select(c => c.Count).ShouldBe([1, 1, 0, 0]);
        (await Store.ClaimTogetherAsync(requests, ClaimRules.None, Later)).Select(c => c.Count).ShouldBe([1, 1, 0, 0]);
    }

    private static readonly DateTime Later = T0.AddMinutes(1);

    [Fact]
    public async Task A_claim_takes_the_first_target_first_then_by_priority_due_time_and_id()
    {
        // In the expected claim order; inserted in reverse.
        var tasks = new[]
        {
            New("b", t => t.Priority = Priority.Critical),
            New("b", t => (t.Priority, t.DueAt) = (Priority.High, T0.AddSeconds(-1))),
            New("b", t => t.Priority = Priority.High),
            New("b", t => t.Priority = Priority.High),
            New("b"),
            New("b", t => (t.Priority, t.DueAt) = (Priority.Low, T0.AddSeconds(-9))),
            New("a", t => (t.Priority, t.DueAt) = (Priority.Critical, T0.AddSeconds(-9))),
            New("a", t => t.DueAt = T0.AddSeconds(-9)),
        };
        await Store.InsertAsync([.. tasks.Reverse()]);

        var first = await Store.ClaimAsync(Request(3, "b", "a"), Later);
        var rest = await Store.ClaimAsync(Request(100, "b", "a"), Later);

        first.Select(t => t.CorrelationId).ShouldBe(tasks[..3].Select(t => t.CorrelationId));
        rest.Select(t => t.CorrelationId).ShouldBe(tasks[3..].Select(t => t.CorrelationId));
    }

    [Fact]
    public async Task Oldest_takes_by_due_time_and_id_over_all_targets_and_priorities()
    {
        var tasks = new[]
        {
            New("a", t => (t.Priority, t.DueAt) = (Priority.Low, T0.AddSeconds(-9))),
            New("b", t => (t.Tier, t.DueAt) = (0, T0.AddSeconds(-8))),
            New("a", t => t.Priority = Priority.Low),
            New("b", t => t.Priority = Priority.Critical),
            New("a"),
        };
        await Store.InsertAsync([.. tasks.Reverse()]);

        var first = await Store.ClaimAsync(Request(2, "b", "a") with { Order = ClaimOrder.Oldest }, Later);
        var rest = await Store.ClaimAsync(Request(100, "b", "a") with { Order = ClaimOrder.Oldest }, Later);

        first.Concat(rest).Select(t => t.CorrelationId).ShouldBe(tasks.Select(t => t.CorrelationId));
        first.Count.ShouldBe(2);
    }

    [Fact]
    public async Task A_claim_skips_tasks_that_must_not_start()
    {
        var due = New();
        TaskState[] others =
        [
            New(change: t => t.DueAt = Later.AddMicroseconds(1)),
            New(change: t => t.ExpiresAt = Later),
            New(change: t => t.Push = true),
            New(change: t => t.Tier = 1),
            New("other"),
            .. TaskStates.All.Except([TaskStates.Pending, TaskStates.Retrying]).Select(state => New(change: t => t.State = state)),
        ];
        await Store.GivenAsync(Database, [.. others, due]);

        (await Store.ClaimAsync(Request(100, "q"), Later)).ShouldHaveSingleItem().CorrelationId.ShouldBe(due.CorrelationId);

        foreach (var other in others)
            (await Database.GetAsync(other.CorrelationId)).Describe().ShouldBe(other.Describe());
    }

    [Fact]
    public async Task A_claim_starts_an_attempt_and_returns_the_whole_task()
    {
        var task = Full();
        (task.Push, task.DispatchAt, task.ExpiresAt) = (false, null, null);
        await Store.InsertAsync([task]);

        var claimed = (await Store.ClaimAsync(new ClaimRequest([new("reports", 7)], 1, "w2", 1500), Later)).ShouldHaveSingleItem();

        (task.State, task.Attempt, task.AttemptsLeft, task.Worker, task.LeaseMs) = (TaskStates.Running, 5, 4, "w2", 1500);
        task.ClaimedBy = null;
        (task.LeaseUntil, task.StartedAt) = (Later.AddMilliseconds(1500), Later);
        claimed.Describe(NotDelivered).ShouldBe(task.Describe(NotDelivered));
        (claimed.Error, claimed.Progress).ShouldBe((null, "[1]"));
        (await Database.GetAsync(task.CorrelationId)).Describe().ShouldBe(task.Describe());
        var started = (await Database.EventsOfAsync(task.CorrelationId))[1];
        (started.Type, started.Queue, started.Tier, started.Attempt, started.Worker)
            .ShouldBe((TaskEventType.Started, "reports", 7, 5, "w2"));
        (started.At, started.DueAt, started.Error, started.Dispatch).ShouldBe((Later, null, null, false));
    }

    [Fact]
    public async Task The_longest_lease_ends_a_day_later()
    {
        await Store.InsertAsync([New()]);

        var claimed = await Store.ClaimAsync(Request(1, "q") with { LeaseMs = LeaseLimits.MaxMs }, Later);

        claimed[0].LeaseUntil.ShouldBe(Later.AddDays(1));
    }

    [Fact]
    public async Task Side_by_side_claims_take_every_task_once()
    {
        var tasks = Enumerable.Range(0, 500).Select(i => New($"q{i % 3}", t => t.Priority = (Priority)(1 + (i % 4)))).ToList();
        await Store.InsertAsync(tasks);

        var claimed = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(() => ClaimAllAsync($"w{i}"))));

        claimed.SelectMany(t => t).Select(t => t.CorrelationId).Order().ShouldBe(tasks.Select(t => t.CorrelationId).Order());
        claimed.SelectMany(t => t).ShouldAllBe(t => t.Attempt == 1);
        (await Store.ReadForDispatchAsync([.. tasks.Select(t => t.CorrelationId)], int.MaxValue)).ShouldBeEmpty();
    }

    [Fact]
    public async Task The_next_due_time_is_that_of_the_first_waiting_pull_task_of_the_future()
    {
        await Store.GivenAsync(Database,
        [
            New(change: t => t.DueAt = T0),
            New(change: t => (t.DueAt, t.Push) = (T0.AddSeconds(1), true)),
            New(change: t => (t.DueAt, t.State) = (T0.AddSeconds(2), TaskStates.Cancelled)),
            New(change: t => (t.DueAt, t.Tier) = (T0.AddSeconds(3), 1)),
            New("r", t => (t.DueAt, t.Priority, t.State) = (T0.AddSeconds(5), Priority.Critical, TaskStates.Retrying)),
            New(change: t => (t.DueAt, t.Priority) = (T0.AddSeconds(4), Priority.Low)),
        ]);

        (await Store.NextDueAsync([new("q", 0), new("r", 0)], T0)).ShouldBe(T0.AddSeconds(4));
        (await Store.NextDueAsync([new("r", 0)], T0)).ShouldBe(T0.AddSeconds(5));
        (await Store.NextDueAsync([new("q", 0)], T0.AddSeconds(4))).ShouldBeNull();
        (await Store.NextDueAsync([new("nothing", 0)], T0)).ShouldBeNull();
    }

    [Fact]
    public async Task A_claim_changes_a_task_exactly_like_the_state_machines_Start()
    {
        // Two rows per situation, equal except for the id and the queue: one is claimed, the other started.
        var twins = Situations().ToList();
        await Store.GivenAsync(Database, [.. twins.SelectMany(t => new[] { t.Claimed, t.Started })]);

        var claims = await Task.WhenAll(twins.Select(t => Store.ClaimAsync(Request(1, t.Claimed.Queue), T0)));
        var results = await Task.WhenAll(twins.Select(t =>
            fixture.Engine.SendAsync(new StartTask(t.Started.CorrelationId, T0, t.Started.Attempt + 1, "w", 15_000))));

        for (var i = 0; i < twins.Count; i++)
        {
            var (claimed, started) = twins[i];
            (claims[i].Count == 1).ShouldBe(results[i] == CommandResult.Applied, claimed.Describe());
            (await Database.GetAsync(claimed.CorrelationId)).Describe("CorrelationId", "Queue")
                .ShouldBe((await Database.GetAsync(started.CorrelationId)).Describe("CorrelationId", "Queue"));
            (await Database.EventsOfAsync(claimed.CorrelationId)).Select(Step)
                .ShouldBe((await Database.EventsOfAsync(started.CorrelationId)).Select(Step));
        }

        results.Count(v => v == CommandResult.Applied).ShouldBe(2 * 2 * 2); // waiting, due before or now, and without expiry or before it
    }

    /// <summary>Every state, due before, now and later, without an expiry and before, at and after it.</summary>
    private static IEnumerable<(TaskState Claimed, TaskState Started)> Situations() =>
        from state in TaskStates.All
        from due in new[] { -1, 0, 1 }
        from expiry in new int?[] { null, -1, 0, 1 }
        let claimed = Twin("claimed", state, due, expiry)
        select (claimed, Twin("started", state, due, expiry));

    private static TaskState Twin(string queue, int state, int due, int? expiry) => New($"{queue}_{state}_{due}_{expiry}", t =>
    {
        t.State = state;
        t.DueAt = T0.AddMicroseconds(due);
        t.ExpiresAt = expiry is { } e ? T0.AddMicroseconds(e) : null;
        (t.Attempt, t.Worker, t.LeaseMs, t.Error, t.StartedAt) = (2, "before", 1000, "of before", T0.AddHours(-1));
        t.LeaseUntil = state == TaskStates.Running ? T0.AddSeconds(1) : null;
        t.DispatchAt = T0.AddHours(1);
        t.FinishedAt = TaskStates.IsTerminal(state) ? T0.AddSeconds(-1) : null;
    });

    private static
        (TaskEventType Type, int Tier, int Attempt, string? Worker, string? Error, DateTime At, DateTime? DueAt, bool Dispatch)
        Step(TaskEvent e) =>
        (e.Type, e.Tier, e.Attempt, e.Worker, e.Error, e.At, e.DueAt, e.Dispatch);

    private static ClaimRequest Request(int max, params string[] queues) =>
        new([.. queues.Select(q => new QueueTier(q, 0))], max, "w", 15_000);

    /// <summary>Claims until nothing waits; another claim may briefly lock rows that it does not take.</summary>
    private async Task<List<TaskState>> ClaimAllAsync(string worker)
    {
        var all = new List<TaskState>();
        var request = Request(7, "q0", "q1", "q2") with { Worker = worker };
        await Eventually.UntilAsync(
            async () =>
            {
                while (await Store.ClaimAsync(request, Later) is { Count: > 0 } tasks)
                    all.AddRange(tasks);
                return await Store.NextDueAsync(request.Targets, T0.AddSeconds(-1)) is null;
            },
            TimeSpan.FromSeconds(20), "every task is claimed");
        return all;
    }
}
