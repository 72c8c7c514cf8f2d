using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>
/// The order in which transactions lock: dedupe keys, ids of new tasks, ordering keys, rows, dead letters, a partition of the outbox.
/// Whoever waits holds nothing that comes later, so none waits in a circle.
/// </summary>
public sealed class PostgresLockOrderTests : IAsyncLifetime
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    private TestDatabase _database = null!;
    private TestEngine _engine = null!;
    private WatchedStore _store = null!;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        _engine = new TestEngine(_database.Address, partitions: 1, inner => _store = new WatchedStore(inner));
        await _engine.Queues.CreateAsync("q", Delivery.Pull, new QueueSettings { DeadLetters = new DeadLetterSettings(MaxSize: 1) });
        _ = _engine.Store;
    }

    public async Task DisposeAsync()
    {
        _store.Open();
        await _engine.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task A_retry_by_hand_that_waits_for_a_dedupe_key_holds_no_other_task_and_no_partition()
    {
        var (dead, running) = (await SubmitAsync(New() with { DedupeKey = "k" }), await SubmitAsync(New()));
        await EndAsync(dead);
        await StartAsync(running);
        await using var other = await OpenTransaction.BeginAsync(_database);
        await other.ExecuteAsync("insert into dedupe_keys (queue, dedupe_key, task_id) values ('q', 'k', $1)", Guid.NewGuid());

        var group = await TogetherAsync(Complete(running), new RetryTask(dead, Now));
        await ShouldWaitAsync(other, group, running);
        await other.RollbackAsync();

        (await group.WaitAsync(Deadline)).ShouldAllBe(r => r == CommandResult.Applied);
        (await _database.GetAsync(dead)).State.ShouldBe(TaskStates.Pending);
    }

    [Fact]
    public async Task A_submit_that_waits_for_its_id_holds_no_other_task_and_no_partition()
    {
        var running = await SubmitAsync(New());
        await StartAsync(running);
        var fresh = TestTasks.New(change: t => t.State = 0);
        await using var other = await OpenTransaction.BeginAsync(_database);
        await other.ExecuteAsync(
            """
            insert into tasks (id, queue, tier, priority, push, payload, max_attempts, default_lease_ms, created_at, due_at)
            values ($1, 'q', 1, 2, false, '{}', 1, 1000, now(), now())
            """, fresh.CorrelationId);

        var group = await TogetherAsync(Complete(running), new SubmitTask(fresh));
        await ShouldWaitAsync(other, group, running);
        await other.RollbackAsync();

        (await group.WaitAsync(Deadline)).ShouldAllBe(r => r == CommandResult.Applied);
    }

    [Fact]
    public async Task A_group_that_waits_for_an_ordering_key_holds_no_task_and_no_partition()
    {
        var (head, running) = (await SubmitAsync(New() with { OrderingKey = "t" }), await SubmitAsync(New()));
        await StartAsync(running);
        await using var other = await OpenTransaction.BeginAsync(_database);
        await other.ExecuteAsync("update ordering_keys set queue = queue");

        var group = await TogetherAsync(new CancelTask(head, Now), Complete(running));
        await ShouldWaitAsync(other, group, running, head);
        await other.RollbackAsync();

        (await group.WaitAsync(Deadline)).ShouldAllBe(r => r == CommandResult.Applied);
    }

    [Fact]
    public async Task A_blocked_task_is_cancelled_under_the_lock_of_its_ordering_key()
    {
        await SubmitAsync(New() with { OrderingKey = "t" });
        var blocked = await SubmitAsync(New() with { OrderingKey = "t" });
        await using var other = await OpenTransaction.BeginAsync(_database);
        await other.ExecuteAsync("update ordering_keys set queue = queue");

        var group = await TogetherAsync(new CancelTask(blocked, Now));
        await ShouldWaitAsync(other, group, blocked);
        await other.RollbackAsync();

        (await group.WaitAsync(Deadline)).ShouldBe([CommandResult.Applied]);
    }

    [Fact]
    public async Task A_duplicate_that_overwrites_the_head_of_an_ordering_key_waits_for_the_key_first()
    {
        var head = await SubmitAsync(New() with { OrderingKey = "t", DedupeKey = "k" });
        await using var other = await OpenTransaction.BeginAsync(_database);
        await other.ExecuteAsync("update ordering_keys set queue = queue");

        var submit = _engine.Tasks.SubmitAsync(New() with { DedupeKey = "k", Overwrite = OverwriteFields.Payload });
        await ShouldWaitAsync(other, submit, head);
        await other.RollbackAsync();

        (await submit.WaitAsync(Deadline)).Result.ShouldBe(SubmitStatus.Overwritten);
    }

    [Fact]
    public async Task A_new_dead_letter_does_not_wait_for_an_old_one_that_is_being_retried()
    {
        var (old, running) = (await SubmitAsync(New()), await SubmitAsync(New()));
        await EndAsync(old);
        await StartAsync(running);
        await using var other = await OpenTransaction.BeginAsync(_database);
        await other.ExecuteAsync("select 1 from outcomes where id = $1 for update", old);

        (await _engine.SendAsync(Fail(running)).WaitAsync(Deadline)).ShouldBe(CommandResult.Applied);
    }

    /// <summary>Until it waits for another transaction; that one can then lock these tasks and all partitions.</summary>
    private static async Task ShouldWaitAsync(OpenTransaction other, Task waiting, params Guid[] free)
    {
        await other.UntilItBlocksAsync(waiting);
        waiting.IsCompleted.ShouldBeFalse();
        foreach (var table in new[] { "ready", "running" })
        {
            foreach (var id in free)
                await other.ExecuteAsync($"select 1 from {table} where id = $1 for update nowait", id);
        }

        await other.ExecuteAsync(
            $"""
            select 1 / (count(*) filter (where pg_try_advisory_xact_lock({0x7461736B}, s)) / {TaskEvent.Partitions})
            from generate_series(0, {TaskEvent.Partitions - 1}) as s
            """); // divides by zero if one is held
    }

    private static DateTime Now => Engine.Micros.Now(TimeProvider.System);

    private static TaskSubmission New() => new(TaskId.New(TimeProvider.System), "q", "{}") { MaxAttempts = 1 };

    private CompleteTask Complete(Guid id) => _engine.Tasks.Complete(id, 1, "w", null);

    private FailTask Fail(Guid id) => _engine.Tasks.Fail(id, 1, "w", "broken", retryable: false);

    private async Task<Guid> SubmitAsync(TaskSubmission task) => (await _engine.Tasks.SubmitAsync(task)).Id;

    private async Task StartAsync(Guid id) =>
        (await _engine.SendAsync(_engine.Tasks.Start(id, 1, "w", 60_000))).ShouldBe(CommandResult.Applied);

    /// <summary>It becomes a dead letter.</summary>
    private async Task EndAsync(Guid id)
    {
        await StartAsync(id);
        (await _engine.SendAsync(Fail(id))).ShouldBe(CommandResult.Applied);
    }

    /// <summary>Sends commands that are committed as one group.</summary>
    private async Task<Task<CommandResult[]>> TogetherAsync(params TaskCommand[] commands)
    {
        _store.Close();
        _ = _engine.SendAsync(new CancelTask(Guid.NewGuid(), Now));
        await Eventually.UntilAsync(() => Task.FromResult(_store.Waiting == 1), Deadline, "a group waits at the gate");
        var sends = Task.WhenAll(commands.Select(c => _engine.SendAsync(c)).ToList());
        _store.Open();
        return sends;
    }
}
