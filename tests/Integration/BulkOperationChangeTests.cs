using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

/// <summary>Commands that change the payload or the queue of a task, on each database.</summary>
public sealed class BulkOperationChangeTests
{
    private static readonly DateTime Now = T0.AddSeconds(30);

    private static readonly TargetQueue Other = new("other", Delivery.Pull, QueueSettings.Default);

    public static TheoryData<DatabaseProvider> Providers => TestDatabase.Providers;

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_waiting_task_moves_with_all_its_rows(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var task = New(change: t => (t.DedupeKey, t.Tags, t.Owner) = ("d", "a,b c", "ann"));
        await engine.Store.GivenAsync(database, task);

        (await engine.SendAsync(Move(task))).ShouldBe(CommandResult.Applied);

        var moved = await database.GetAsync(task.CorrelationId);
        moved.Describe("Queue").ShouldBe(task.Describe("Queue"));
        moved.Queue.ShouldBe("other");
        await using var db = database.CreateContext();
        (await db.Submitted.SingleAsync()).Queue.ShouldBe("other");
        (await db.Set<DedupeKeyRow>().SingleAsync()).Queue.ShouldBe("other");
        (await db.TaskTags.OrderBy(t => t.Tag).Select(t => new { t.Tag, t.Queue }).ToListAsync()).Select(t => (t.Tag, t.Queue))
            .ShouldBe([("a", "other"), ("b c", "other")]);
        (await database.EventsOfAsync(task.CorrelationId)).Select(e => (e.Type, e.Queue)).ShouldBe(
            [(TaskEventType.Submitted, "q"), (TaskEventType.Overwritten, "q"), (TaskEventType.Submitted, "other")], ignoreOrder: true);
        (await engine.Store.ClaimAsync(new ClaimRequest([new QueueTier("q", 0)], 1, "w", 1000), Now)).ShouldBeEmpty();
        (await engine.Store.ClaimAsync(new ClaimRequest([new QueueTier("other", 0)], 1, "w", 1000), Now)).ShouldHaveSingleItem();
        (await engine.SendAsync(Move(task))).ShouldBe(CommandResult.NotAllowed); // it runs
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_dedupe_key_that_is_taken_in_the_other_queue_keeps_a_task_where_it_is(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var tasks = Enumerable.Range(0, 3).Select(_ => New(change: t => t.DedupeKey = $"{t.CorrelationId}")).ToList();
        tasks[1].DedupeKey = "taken";
        var holder = New("other", t => t.DedupeKey = "taken");
        await engine.Store.GivenAsync(database, [.. tasks, holder]);

        var commands = tasks.ConvertAll(Move);
        await engine.Committer.CommitAsync(commands);

        commands.Select(c => c.CommandResult).ShouldBe([CommandResult.Applied, CommandResult.KeyTaken, CommandResult.Applied]);
        (await database.GetAsync(tasks[1].CorrelationId)).Describe().ShouldBe(tasks[1].Describe());
        await using var db = database.CreateContext();
        (await db.Set<DedupeKeyRow>().CountAsync(k => k.Queue == "other")).ShouldBe(3);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Heads_of_an_ordering_key_are_promoted_in_both_queues(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var (first, second) = (Keyed("q", 0), Keyed("q", 1));
        var there = Keyed("other", 5);
        await engine.Store.GivenAsync(database, [first, second, there]);

        (await engine.SendAsync(Move(first))).ShouldBe(CommandResult.Applied);

        (await BlockedAsync(first, second, there)).ShouldBe([false, false, true]);
        (await engine.SendAsync(Move(second))).ShouldBe(CommandResult.Applied);
        (await BlockedAsync(first, second, there)).ShouldBe([false, true, true]);

        async Task<List<bool>> BlockedAsync(params TaskState[] tasks)
        {
            var blocked = new List<bool>();
            foreach (var task in tasks)
                blocked.Add((await database.GetAsync(task.CorrelationId)).Blocked);
            return blocked;
        }

        static TaskState Keyed(string queue, int seconds) =>
            New(queue, t => (t.OrderingKey, t.Blocked, t.DueAt) = ("k", true, T0.AddSeconds(seconds)));
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_payload_is_changed_in_place_and_claims_know_its_size(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var (task, other) = (New(change: t => (t.Payload, t.Headers) = ("{\"a\":1}", "{}")), New());
        await engine.Store.GivenAsync(database, [task, other]);

        (await engine.SendAsync(Edit(task, payload => payload.Replace("1", "\"größer\"", StringComparison.Ordinal))))
            .ShouldBe(CommandResult.Applied);

        var edited = await database.GetAsync(task.CorrelationId);
        edited.Payload.ShouldBe("{\"a\":\"größer\"}");
        edited.Describe("Payload").ShouldBe(task.Describe("Payload"));
        (await database.GetAsync(other.CorrelationId)).Payload.ShouldBe("{}");
        await using var db = database.CreateContext();
        var octets = await db.Ready.Where(t => t.CorrelationId == task.CorrelationId).Select(t => EF.Property<int>(t, "Octets"))
            .SingleAsync();
        octets.ShouldBeInRange(edited.Payload.Length + 2, edited.Payload.Length + 4); // characters or bytes
        (await engine.Store.ClaimAsync(new ClaimRequest([new QueueTier("q", 0)], 2, "w", 1000), Now)).Select(t => t.Payload)
            .ShouldBe([edited.Payload, "{}"], ignoreOrder: true);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_change_that_is_refused_changes_nothing(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var (waiting, keyed, item) = (
            New(), New(change: t => (t.OrderingKey, t.Blocked) = ("k", true)), New(change: t => t.BatchId = Guid.NewGuid()));
        await engine.Store.GivenAsync(database, [waiting, keyed, item]);
        var refused = Edit(waiting, _ => throw new InvalidTaskChangeException("no luck"));
        var push = new ChangeTask(
            keyed.CorrelationId, Now, new TaskChange { Target = new TargetQueue("push", Delivery.Push, QueueSettings.Default) });
        var elsewhere = new ChangeTask(waiting.CorrelationId, Now, new TaskChange { Target = Other, From = "x" });
        var batch = Edit(item, _ => "1");

        await engine.Committer.CommitAsync([refused, push, elsewhere, batch]);

        foreach (var command in new[] { refused, push, elsewhere, batch })
            command.CommandResult.ShouldBe(CommandResult.NotAllowed);
        refused.Change!.Problem.ShouldBe("no luck");
        push.Change!.Problem.ShouldNotBeNull().ShouldContain("push is a push queue");
        elsewhere.Change!.Problem.ShouldBeNull();
        batch.Change!.Problem.ShouldNotBeNull().ShouldContain("item of a batch");
        (await database.GetAsync(waiting.CorrelationId)).Describe().ShouldBe(waiting.Describe());
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_failed_task_runs_again_in_another_queue_with_another_payload(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var failed = New(change: t => (t.State, t.FinishedAt, t.Attempt, t.AttemptsLeft, t.DedupeKey, t.Tags, t.Progress) =
            (TaskStates.Failed, T0, 3, 0, "d", "a", "[1]"));
        var cancelled = New(change: t => (t.State, t.FinishedAt) = (TaskStates.Cancelled, T0));
        await engine.Store.GivenAsync(database, [failed, cancelled]);
        var change = new TaskChange { Target = Other, Payload = payload => $"[{payload}]" };

        (await engine.SendAsync(new RetryTask(failed.CorrelationId, Now) { With = change })).ShouldBe(CommandResult.Applied);
        (await engine.SendAsync(new RetryTask(cancelled.CorrelationId, Now) { With = new TaskChange { Target = Other } }))
            .ShouldBe(CommandResult.NotAllowed);

        var again = await database.GetAsync(failed.CorrelationId);
        (again.State, again.Queue, again.Payload, again.AttemptsLeft, again.DueAt).ShouldBe((TaskStates.Pending, "other", "[{}]", 3, Now));
        again.Progress.ShouldBeNull("it says how far the work on the old payload was");
        // Both at once: it goes back, and ends there.
        var back = new ChangeTask(failed.CorrelationId, Now, new TaskChange
        {
            Target = new TargetQueue("q", Delivery.Pull, QueueSettings.Default), From = "other", Payload = _ => "{}",
        });
        await engine.Committer.CommitAsync([back, new CancelTask(failed.CorrelationId, Now) { OnlyWaiting = true }]);
        var ended = await database.GetAsync(failed.CorrelationId);
        (ended.State, ended.Queue, ended.Payload).ShouldBe((TaskStates.Cancelled, "q", "{}"));
        await using var db = database.CreateContext();
        (await db.Set<DedupeKeyRow>().CountAsync()).ShouldBe(0);
        (await db.Outcomes.SingleAsync(t => t.CorrelationId == failed.CorrelationId)).Queue.ShouldBe("q");
        (await db.TaskTags.SingleAsync()).Queue.ShouldBe("q");
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task What_bus_workers_were_sent_before_a_change_is_stale(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var task = New(change: t => (t.Push, t.DispatchAt) = (true, T0));
        await engine.Store.GivenAsync(database, task);

        (await engine.SendAsync(Edit(task, _ => "[2]"))).ShouldBe(CommandResult.Applied);

        (await engine.SendAsync(new StartTask(task.CorrelationId, Now, 1, "w", null))).ShouldBe(CommandResult.StaleAttempt);
        var sent = (await database.EventsOfAsync(task.CorrelationId))[^1];
        (sent.Type, sent.Dispatch, sent.Attempt).ShouldBe((TaskEventType.Overwritten, true, 1));
        (await engine.SendAsync(new StartTask(task.CorrelationId, Now, 2, "w", null))).ShouldBe(CommandResult.Applied);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_running_task_is_left_alone_where_only_waiting_or_ended_ones_are_meant(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var (waiting, running) = (New(), New(change: t => (t.State, t.Attempt, t.LeaseUntil) = (TaskStates.Running, 1, Now)));
        await engine.Store.GivenAsync(database, [waiting, running]);

        (await engine.SendAsync(new CancelTask(running.CorrelationId, Now) { OnlyWaiting = true })).ShouldBe(CommandResult.NotAllowed);
        (await engine.SendAsync(new DeleteTask(running.CorrelationId, Now) { OnlyEnded = true })).ShouldBe(CommandResult.NotAllowed);
        (await engine.SendAsync(new DeleteTask(waiting.CorrelationId, Now) { OnlyEnded = true })).ShouldBe(CommandResult.NotAllowed);
        (await engine.SendAsync(new CancelTask(waiting.CorrelationId, Now) { OnlyWaiting = true })).ShouldBe(CommandResult.Applied);
        (await engine.SendAsync(new DeleteTask(waiting.CorrelationId, Now) { OnlyEnded = true })).ShouldBe(CommandResult.Applied);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_change_that_ends_a_task_happens_as_a_whole_or_not_at_all(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var (moved, kept) = (New("other", t => t.DedupeKey = "d"), New("other"));
        await engine.Store.GivenAsync(database, [moved, kept]);

        (await engine.SendAsync(Back(moved, _ => "[1]"))).ShouldBe(CommandResult.Applied);
        (await engine.SendAsync(Back(kept, _ => throw new InvalidTaskChangeException("no luck")))).ShouldBe(CommandResult.NotAllowed);

        var ended = await database.GetAsync(moved.CorrelationId);
        (ended.State, ended.Queue, ended.Payload).ShouldBe((TaskStates.Cancelled, "q", "[1]"));
        (await database.GetAsync(kept.CorrelationId)).Describe().ShouldBe(kept.Describe());
        await using var db = database.CreateContext();
        (await db.Set<DedupeKeyRow>().CountAsync()).ShouldBe(0);
        (await engine.SendAsync(Back(moved, _ => null))).ShouldBe(CommandResult.Duplicate);

        static ChangeTask Back(TaskState task, Func<string, string?> payload) => new(task.CorrelationId, Now,
            new TaskChange { Target = new TargetQueue("q", Delivery.Pull, QueueSettings.Default), Payload = payload }) { Ends = true };
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_cancellation_is_taken_back_with_the_due_time_and_the_expiry(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var later = New(change: t => (t.State, t.FinishedAt, t.DueAt, t.ExpiresAt) =
            (TaskStates.Cancelled, T0, Now.AddDays(1), Now.AddDays(2)));
        var past = New(change: t => (t.State, t.FinishedAt, t.ExpiresAt) = (TaskStates.Cancelled, T0, T0));
        var failed = New(change: t => (t.State, t.FinishedAt) = (TaskStates.Failed, T0));
        await engine.Store.GivenAsync(database, [later, past, failed]);

        (await engine.SendAsync(Restore(later))).ShouldBe(CommandResult.Applied);
        (await engine.SendAsync(Restore(later))).ShouldBe(CommandResult.Duplicate);
        (await engine.SendAsync(Restore(past))).ShouldBe(CommandResult.Applied);
        (await engine.SendAsync(Restore(failed))).ShouldBe(CommandResult.NotAllowed);

        var restored = await database.GetAsync(later.CorrelationId);
        (restored.State, restored.DueAt, restored.ExpiresAt).ShouldBe((TaskStates.Pending, Now.AddDays(1), (DateTime?)Now.AddDays(2)));
        var fresh = await database.GetAsync(past.CorrelationId);
        (fresh.DueAt, fresh.ExpiresAt <= Now).ShouldBe((Now, false));

        static RetryTask Restore(TaskState task) => new(task.CorrelationId, Now) { Restores = true };
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Items_of_a_batch_stay_until_it_has_written_them(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var (open, written) = (Item(null), Item(Now.AddDays(1)));
        await engine.Store.GivenAsync(database, [open, written]);

        (await engine.SendAsync(Delete(open))).ShouldBe(CommandResult.NotAllowed);
        (await engine.SendAsync(Delete(written))).ShouldBe(CommandResult.Applied);

        (await database.GetAsync(open.CorrelationId)).DeleteAt.ShouldBeNull();
        (await database.GetAsync(written.CorrelationId)).DeleteAt.ShouldBe(Now.AddDays(1));

        static DeleteTask Delete(TaskState task) => new(task.CorrelationId, Now) { OnlyEnded = true };
        static TaskState Item(DateTime? deleteAt) => New(change: t => (t.State, t.FinishedAt, t.BatchId, t.DeleteAt) =
            (TaskStates.Completed, T0, Guid.NewGuid(), deleteAt));
    }

    private static ChangeTask Move(TaskState task) => new(task.CorrelationId, Now, new TaskChange { Target = Other });

    private static ChangeTask Edit(TaskState task, Func<string, string> payload) =>
        new(task.CorrelationId, Now, new TaskChange { Payload = payload });
}
