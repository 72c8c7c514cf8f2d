using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

/// <summary>
/// Claims on PostgreSQL start where the last one of the process ended. A task that waits at an earlier time is claimed at once if this
/// process put it there or was told, and within two seconds otherwise.
/// </summary>
public sealed class PostgresClaimMarkTests : IAsyncLifetime
{
    private static readonly QueueTier Target = new("q", 0);

    /// <summary>While the mark of the claim at <see cref="T0"/> holds, and when it does not any more.</summary>
    private static readonly DateTime Soon = T0.AddSeconds(1.9), Later = T0.AddSeconds(2);

    private TestDatabase _database = null!;
    private TestEngine _engine = null!, _other = null!;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        (_engine, _other) = (new TestEngine(_database.Address), new TestEngine(_database.Address));
    }

    public async Task DisposeAsync()
    {
        await _engine.DisposeAsync();
        await _other.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task A_task_of_another_process_below_the_mark_is_claimed_within_two_seconds()
    {
        await ClaimAsync(T0);
        var task = Early();
        await _other.Store.InsertAsync([task]);

        (await ClaimAsync(Soon)).ShouldBeEmpty("the mark is at work");
        (await ClaimAsync(Later)).ShouldBe([task.CorrelationId]);
    }

    [Fact]
    public async Task A_task_of_another_process_that_is_due_now_is_claimed_at_once()
    {
        await ClaimAsync(T0);
        var task = New(change: t => t.DueAt = T0.AddMilliseconds(-249));
        await _other.Store.InsertAsync([task]);

        (await ClaimAsync(T0.AddMilliseconds(1))).ShouldBe([task.CorrelationId]);
    }

    [Fact]
    public async Task A_task_below_the_mark_is_claimed_at_once_if_the_process_inserted_it_or_was_told()
    {
        await ClaimAsync(T0);
        var (own, told) = (Early(), Early());
        await _engine.Store.InsertAsync([own]);
        (await ClaimAsync(Soon)).ShouldBe([own.CorrelationId]);
        (await ClaimAsync(Soon)).ShouldBeEmpty();

        await _other.Store.InsertAsync([told]);
        (await ClaimAsync(Soon)).ShouldBeEmpty();
        _engine.Store.NoteWaiting(Target, told.DueAt);
        (await ClaimAsync(Soon)).ShouldBe([told.CorrelationId]);
    }

    [Fact]
    public async Task A_submit_below_the_mark_is_claimed_at_once()
    {
        await ClaimAsync(T0);
        var task = Early();
        task.State = 0;
        (await _engine.SendAsync(new SubmitTask(task))).ShouldBe(CommandResult.Applied);

        (await ClaimAsync(Soon)).ShouldBe([task.CorrelationId]);
    }

    [Fact]
    public async Task A_retry_that_keeps_its_place_in_the_queue_is_claimed_at_once()
    {
        var task = Early();
        await _engine.Store.InsertAsync([task]);
        (await ClaimAsync(T0)).ShouldBe([task.CorrelationId]);
        (await ClaimAsync(T0)).ShouldBeEmpty();
        (await _engine.SendAsync(new ExpireLease(task.CorrelationId, Soon))).ShouldBe(CommandResult.Applied);

        (await _database.GetAsync(task.CorrelationId)).DueAt.ShouldBe(task.DueAt);
        (await ClaimAsync(Soon)).ShouldBe([task.CorrelationId]);
    }

    [Fact]
    public async Task A_retry_by_another_process_that_keeps_its_place_is_claimed_within_two_seconds()
    {
        var task = Early();
        await _engine.Store.InsertAsync([task]);
        await ClaimAsync(T0);
        await ClaimAsync(T0);
        (await _other.SendAsync(new ExpireLease(task.CorrelationId, Soon))).ShouldBe(CommandResult.Applied);

        (await ClaimAsync(Later)).ShouldBe([task.CorrelationId]);
    }

    [Fact]
    public async Task A_task_whose_time_a_duplicate_moves_below_the_mark_is_claimed_at_once()
    {
        var task = New(change: t => (t.DedupeKey, t.DueAt) = ("k", T0.AddHours(1)));
        await _engine.Store.InsertAsync([task]);
        await ClaimAsync(T0);
        var duplicate = New(change: t => (t.DedupeKey, t.DueAt) = ("k", T0.AddMinutes(-1)));
        (await _engine.Store.InsertAsync([new NewTask(duplicate, OverwriteFields.ScheduledAt)]))!
            .ShouldHaveSingleItem().Result.ShouldBe(SubmitStatus.Overwritten);

        (await ClaimAsync(Soon)).ShouldBe([task.CorrelationId]);
    }

    [Fact]
    public async Task The_next_head_of_an_ordering_key_is_claimed_at_once_although_it_is_older_than_the_mark()
    {
        TaskState[] tasks = [.. Enumerable.Range(0, 2).Select(_ => Early()).OrderBy(t => t.CorrelationId)];
        foreach (var task in tasks)
            (task.OrderingKey, task.Blocked) = ("t", true);
        await _engine.Store.InsertAsync(tasks);
        (await ClaimAsync(T0)).ShouldBe([tasks[0].CorrelationId]);
        (await ClaimAsync(T0)).ShouldBeEmpty();
        (await _engine.SendAsync(new CompleteTask(tasks[0].CorrelationId, T0, 1, "w", null))).ShouldBe(CommandResult.Applied);

        (await ClaimAsync(Soon)).ShouldBe([tasks[1].CorrelationId]);
    }

    [Fact]
    public async Task A_mark_of_one_priority_hides_no_task_of_another()
    {
        var low = New(change: t => (t.Priority, t.DueAt) = (Priority.Low, T0.AddMinutes(-1)));
        await _engine.Store.InsertAsync([low]);
        (await ClaimAsync(T0)).ShouldBe([low.CorrelationId]);
        await ClaimAsync(T0);
        var critical = New(change: t => (t.Priority, t.DueAt) = (Priority.Critical, T0.AddMinutes(-1)));
        await _other.Store.InsertAsync([critical]);

        (await ClaimAsync(Later)).ShouldBe([critical.CorrelationId]);
    }

    [Fact]
    public async Task Tasks_that_a_limit_held_back_are_claimed_at_once_when_it_is_lifted()
    {
        TaskState[] tasks = [.. Enumerable.Range(0, 3).Select(_ => Early()).OrderBy(t => t.CorrelationId)];
        await ClaimAsync(T0);
        await _engine.QueueStore.ApplyLimitsAsync("q");
        await _engine.Store.InsertAsync(tasks);
        var limited = new ClaimRules([new QueueLimit("q", 1, null)], []);
        (await _engine.Store.ClaimAsync(Request(10), limited, T0)).Select(t => t.CorrelationId).ShouldBe([tasks[0].CorrelationId]);
        (await _engine.Store.ClaimAsync(Request(10), limited, Soon)).ShouldBeEmpty();

        (await ClaimAsync(Soon)).ShouldBe(tasks[1..].Select(t => t.CorrelationId));
    }

    [Fact]
    public async Task A_clock_that_is_set_back_hides_no_task()
    {
        await ClaimAsync(T0);
        var task = New(change: t => t.DueAt = T0.AddHours(-2));
        await _other.Store.InsertAsync([task]);

        (await ClaimAsync(T0.AddHours(-1))).ShouldBe([task.CorrelationId]);
    }

    [Fact]
    public async Task A_claim_that_takes_only_the_first_tasks_hides_none_of_the_rest()
    {
        TaskState[] tasks = [.. Enumerable.Range(0, 30).Select(n => New(change: t => t.DueAt = T0.AddSeconds(n % 7 - 60)))];
        await _engine.Store.InsertAsync(tasks);
        var claimed = new List<Guid>();
        for (var at = T0; claimed.Count < tasks.Length && at < Soon; at = at.AddMilliseconds(50))
            claimed.AddRange(await ClaimAsync(at, max: 4));

        claimed.ShouldBe(tasks.OrderBy(t => t.DueAt).ThenBy(t => t.CorrelationId).Select(t => t.CorrelationId));
    }

    private static TaskState Early() => New(change: t => t.DueAt = T0.AddMinutes(-1));

    private static ClaimRequest Request(int max) => new([Target], max, "w", 1000);

    private async Task<List<Guid>> ClaimAsync(DateTime now, int max = 10) =>
        [.. (await _engine.Store.ClaimAsync(Request(max), now)).Select(t => t.CorrelationId)];
}
