using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Notifications;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Why;
using TaskQueue.Storage;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

/// <summary>All gates together, whose turn it is, push queues, running and ended tasks, and who sees what.</summary>
public abstract partial class WhyTests
{
    [Fact]
    public async Task A_task_past_its_expiry_waits_for_nothing_else()
    {
        var task = New(_queue, t => (t.ExpiresAt, t.Blocked, t.OrderingKey) = (Now, true, "k"));
        await InsertAsync(task);
        Words(await AskAsync(task)).ShouldBe([Gates.Expired]);
    }

    [Fact]
    public async Task Everything_that_holds_a_task_up_is_told_in_order()
    {
        await DeclareAsync(new QueueSettings { Paused = true, MaxRunning = 1, Rate = new RateLimit(1, 1000) });
        var (holder, blocked) = (Running(_queue, t => t.OrderingKey = "k"), New(_queue, t => (t.OrderingKey, t.Blocked) = ("k", true)));
        await InsertAsync(holder, blocked);
        await ChangeAsync(db =>
        {
            db.Add(new QueueLimitRow { Queue = _queue, BucketBase = Micros.FromTime(Now) * 1000 });
            db.Add(new QueueLock { Queue = _queue, TaskId = holder.CorrelationId, Attempt = 1, Until = Now.AddMinutes(1) });
            return Task.CompletedTask;
        });

        var why = await AskAsync(blocked);

        Words(why).ShouldBe([Gates.Paused, Gates.OrderingKey, Gates.ConcurrencyLimit, Gates.RateLimit, Gates.TierLock, Gates.NoWorker]);
        why.Message.ShouldBe(why.Gates[0].Message);
        why.Gates.ShouldAllBe(g => g.Message.EndsWith('.') && g.Holders.All(h => h.TaskId == holder.CorrelationId));
    }

    [Fact]
    public async Task Positions_are_the_order_of_a_claim()
    {
        await ServeAsync("w", _queue);
        var random = new Random(11);
        List<TaskState> tasks =
        [
            .. Enumerable.Range(0, 60).Select(_ => New(_queue, t =>
            {
                t.Priority = random.GetItems(Enum.GetValues<Priority>(), 1)[0];
                t.DueAt = T0.AddSeconds(random.Next(5));
                t.ExpiresAt = random.Next(4) == 0 ? Now.AddMinutes(random.Next(-1, 2)) : null;
                if (random.Next(6) == 0)
                    (t.OrderingKey, t.Blocked) = ("k", true);
                t.Tier = random.Next(8) == 0 ? 1 : 0;
            })),
            New(_queue, t => t.DueAt = Now.AddSeconds(1)), New($"{_queue}x", t => t.Priority = Priority.Critical),
        ];
        await InsertAsync(tasks);
        var positions = new Dictionary<Guid, int>();
        foreach (var task in tasks.Where(t => t.Queue == _queue && t.Tier == 0))
        {
            if ((await AskAsync(task)).Gates is [{ Gate: Gates.WaitingTurn, Position: { } position }])
                positions[task.CorrelationId] = position;
        }

        var claimed = await fixture.Engine.Store.ClaimAsync(
            new ClaimRequest([new QueueTier(_queue, 0)], 100, "w", 1000), ClaimRules.None, Now);

        claimed.Count.ShouldBeGreaterThan(20);
        positions.OrderBy(p => p.Value).Select(p => p.Key).ShouldBe(claimed.Select(t => t.CorrelationId));
        positions.Values.Order().ShouldBe(Enumerable.Range(1, claimed.Count));
    }

    [Fact]
    public async Task Tasks_ahead_are_counted_up_to_a_thousand()
    {
        await ServeAsync("w", _queue);
        List<TaskState> ahead = [.. Enumerable.Range(0, 1001).Select(n => New(_queue, t =>
            (t.DueAt, t.Priority) = (T0.AddSeconds(-n), n % 2 == 0 ? Priority.High : Priority.Normal)))];
        var (last, more) = (New(_queue), New(_queue, t => t.DueAt = T0.AddSeconds(1)));
        await InsertAsync([.. ahead[..1000], last, more]);

        var why = await AskAsync(last);
        (why.Gates.Single().Position, why.Message).ShouldBe((1001, "1000 tasks of its queue and tier go first."));
        why = await AskAsync(more);
        (why.Gates.Single().Position, why.Message).ShouldBe((null, "More than 1000 tasks of its queue and tier go first."));
        why = await AskAsync(ahead[998]); // the oldest of the high ones
        (why.Gates.Single().Position, why.Message).ShouldBe((1, "It may be claimed at once: the next worker that asks gets it."));
    }

    [Fact]
    public async Task A_push_task_waits_for_the_scheduler_the_dispatcher_the_broker_or_a_consumer()
    {
        await DeclareAsync(new QueueSettings(), Delivery.Push);
        var again = Now + TaskStateMachine.RedispatchAfter;
        var (unsent, sent, late) = (Push(Now.AddSeconds(-1)), Push(again.AddSeconds(-7)), Push(Now.AddMinutes(30)));
        await InsertAsync(unsent, sent, late);

        var why = await AskAsync(unsent);
        Words(why).ShouldBe([Gates.PushBacklog]);
        why.Message.ShouldBe("The scheduler has not sent it to its workers yet, which was due at 2031-02-03 05:05:05.123 UTC.");

        why = await AskAsync(sent, push: new(null, "", 3, 1));
        Words(why).ShouldBe([Gates.WaitingTurn]);
        why.Message.ShouldContain("at 2031-02-03 05:04:59.123 UTC, where 3 messages wait");
        why.Gates[0].Position.ShouldBeNull();
        // Its third dispatch: it had waited for 45 minutes.
        (await AskAsync(late)).Message.ShouldContain("at 2031-02-03 04:50:06.123 UTC, and waits for one of them");

        Words(await AskAsync(sent, push: new(null, "", 0, 0))).ShouldBe([Gates.NoWorker]);
        var held = new PushQueueState(Now.AddSeconds(-30), "its queue takes no more", null, null);
        why = await AskAsync(sent, push: held);
        Words(why).ShouldBe([Gates.PushBacklog]);
        why.Message.ShouldContain("since 2031-02-03 05:04:36.123 UTC (its queue takes no more); sending is tried again");
        await ChangeAsync(db => db.AddAsync(OutboxRowOf(sent, Now.AddSeconds(-8))).AsTask());
        Words(await AskAsync(sent)).ShouldBe([Gates.PushBacklog]);
        (await AskAsync(sent)).Message.ShouldContain("events since 2031-02-03 05:04:58.123 UTC wait in the outbox");
        Words(await AskAsync(late)).ShouldBe([Gates.WaitingTurn]); // sent before
    }

    [Fact]
    public async Task A_running_task_says_who_runs_it_and_an_ended_one_how_it_ended()
    {
        var running = Running(_queue);
        var (completed, failed, killer, cancelled, expired) = (Ended(TaskStates.Completed), Ended(TaskStates.Failed, "a secret"),
            Ended(TaskStates.Failed, QuarantineError.Of(3)), Ended(TaskStates.Cancelled), Ended(TaskStates.Expired));
        killer.Dead = true;
        await InsertAsync(running, completed, failed, killer, cancelled, expired);

        (await AskAsync(running)).ShouldSatisfyAllConditions(
            w => w.State.ShouldBe(TaskStates.Running), w => w.Gates.ShouldBeEmpty(),
            w => w.Message.ShouldBe("Worker w has run attempt 1 since 2031-02-03 05:04:06.123 UTC; its lease ends at "
                + "2031-02-03 05:05:21.123 UTC, unless a heartbeat renews it."));
        const string At = "2031-02-03 05:05:01.123 UTC";
        foreach (var (task, message) in new[]
        {
            (completed, $"It completed at {At}."), (failed, $"It failed at {At}, with attempt 2."),
            (cancelled, $"It was cancelled at {At}."),
            (killer, $"It was quarantined at {At}: 3 workers were lost while they ran it. It is a dead letter, which can be retried."),
            (expired, $"It expired, and ended at {At}."),
        })
        {
            var why = await AskAsync(task);
            (why.Message, why.State, why.Gates.Count).ShouldBe((message, task.State, 0));
        }

        TaskState Ended(int state, string? error = null) => New(_queue, t =>
            (t.State, t.Error, t.FinishedAt, t.Attempt, t.Worker) = (state, error, Now.AddSeconds(-5), 2, "w"));
    }

    [Fact]
    public async Task Tasks_of_others_are_counted_but_never_named()
    {
        await DeclareAsync(new QueueSettings { MaxRunning = 3 });
        await ServeAsync("w", _queue);
        var waiting = New(_queue, t => t.Owner = "ann");
        var running = new[] { "ann", "ben", null }.Select(o => Running(_queue, t => t.Owner = o)).ToList();
        var head = New(_queue, t => (t.Owner, t.OrderingKey) = ("ben", "k"));
        var blocked = New(_queue, t => (t.Owner, t.OrderingKey, t.Blocked) = ("ann", "k", true));
        await InsertAsync([waiting, .. running, head, blocked]);
        var ann = Access.Of("ann");

        var gate = (await AskAsync(waiting, ann)).Gates.ShouldHaveSingleItem();
        gate.Message.ShouldContain("runs 3 tasks");
        gate.Holders.Select(h => h.TaskId).ShouldBe([running[0].CorrelationId]);
        (await AskAsync(waiting)).Gates[0].Holders.Count.ShouldBe(3);
        var key = (await AskAsync(blocked, ann)).Gates[0];
        (key.Gate, key.Holders.Count, key.Position).ShouldBe((Gates.OrderingKey, 0, 2));
        (await AskAsync(blocked)).Gates[0].Holders.Single().TaskId.ShouldBe(head.CorrelationId);

        // Whoever is confined to its tenant does not learn how much the others do.
        (await AskAsync(waiting, ann, isConfined: true)).Message.ShouldBe($"Queue {_queue} runs as many tasks as may run at a time.");
        var confined = (await AskAsync(blocked, ann, isConfined: true)).Gates[0];
        (confined.Gate, confined.Position).ShouldBe((Gates.OrderingKey, (int?)null));

        (await AskAsync(waiting.CorrelationId, Access.Of("ben"))).ShouldBeNull();
        (await AskAsync(waiting.CorrelationId, Access.Of("ann", "other"))).ShouldBeNull();
        (await AskAsync(running[2].CorrelationId, ann)).ShouldBeNull();
        (await AskAsync(Guid.NewGuid(), Access.All)).ShouldBeNull();
        var gone = New(_queue, t => (t.State, t.FinishedAt, t.DeleteAt) = (TaskStates.Cancelled, T0, Now));
        await InsertAsync(gone);
        (await AskAsync(gone.CorrelationId, Access.All)).ShouldBeNull();
    }

    private TaskState Push(DateTime dispatchAt) => New(_queue, t => (t.Push, t.DispatchAt, t.DueAt) = (true, dispatchAt,
        dispatchAt < Now.AddMinutes(20) ? Now.AddMinutes(-5) : Now.AddMinutes(-60)));

    private static OutboxRow OutboxRowOf(TaskState task, DateTime at) => new()
    {
        At = at, Type = TaskEventType.Submitted, Queue = task.Queue, Dispatch = true, Ids = [task.CorrelationId], Attempts = [0],
    };
}
