using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;
using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Storage.Postgres;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

/// <summary>The store on PostgreSQL, which many processes share.</summary>
public sealed class PostgresTaskStoreTests(PostgresStoreFixture fixture)
    : TaskStoreConformance(fixture), IClassFixture<PostgresStoreFixture>
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    /// <summary>"task": the first key of the advisory locks; the second is the partition.</summary>
    private const int LockSpace = 0x7461736B;

    private const string LastEventId = "select pg_sequence_last_value(pg_get_serial_sequence('outbox', 'id'))";

    private readonly PostgresStoreFixture _fixture = fixture;

    private ITaskStore Store => _fixture.Engine.Store;

    [Fact]
    public async Task A_save_skips_a_task_that_changed_since_it_was_loaded_and_all_that_belongs_to_it()
    {
        var (taken, free) = (New(), New("other"));
        await Store.InsertAsync([taken, free]);
        await using var session = await Store.BeginAsync();
        var loaded = await session.LoadAsync([taken.CorrelationId, free.CorrelationId]);
        await using var same = await Store.BeginAsync();
        var again = await same.LoadAsync([taken.CorrelationId, free.CorrelationId]);
        (await Store.ClaimAsync(new ClaimRequest([new("q", 0)], 1, "w", 1000), T0)).ShouldHaveSingleItem(); // it holds no lock

        (await session.SaveAsync([], Ended(loaded))).ShouldBe([taken.CorrelationId]);
        (await same.SaveAsync([], Ended(again))).ShouldBe([taken.CorrelationId, free.CorrelationId], ignoreOrder: true);

        (await _fixture.Database.GetAsync(taken.CorrelationId)).State.ShouldBe(TaskStates.Running);
        (await _fixture.Database.GetAsync(free.CorrelationId)).State.ShouldBe(TaskStates.Failed);
        (await TypesOfAsync(taken)).ShouldBe([TaskEventType.Submitted, TaskEventType.Started]);
        (await TypesOfAsync(free)).ShouldBe([TaskEventType.Submitted, TaskEventType.Retrying, TaskEventType.Failed]);
        await using var context = _fixture.Database.CreateContext();
        (await context.Attempts.Select(a => a.TaskId).ToListAsync()).ShouldBe([free.CorrelationId]);
    }

    [Fact]
    public async Task A_save_does_not_wait_for_a_task_that_another_transaction_holds()
    {
        var (held, free) = (New(), New("other"));
        await Store.InsertAsync([held, free]);
        await using var other = _fixture.Database.CreateContext();
        await using var transaction = await LockAsync(other, held);
        await using var session = await Store.BeginAsync();
        var loaded = await session.LoadAsync([held.CorrelationId, free.CorrelationId]).WaitAsync(Deadline);

        (await session.SaveAsync([], Ended(loaded)).WaitAsync(Deadline)).ShouldBe([held.CorrelationId]);

        await transaction.RollbackAsync();
        (await _fixture.Database.GetAsync(held.CorrelationId)).State.ShouldBe(TaskStates.Pending);
        (await _fixture.Database.GetAsync(free.CorrelationId)).State.ShouldBe(TaskStates.Failed);
        (await TypesOfAsync(held)).ShouldBe([TaskEventType.Submitted]);
    }

    [Fact]
    public async Task A_command_for_a_task_that_another_transaction_holds_is_applied_once_it_is_free_and_delays_no_other()
    {
        var (held, free) = (New(), New());
        await Store.InsertAsync([held, free]);
        await using var other = _fixture.Database.CreateContext();
        await using var transaction = await LockAsync(other, held);

        var waiting = _fixture.Engine.SendAsync(new CancelTask(held.CorrelationId, T0));
        (await _fixture.Engine.SendAsync(new CancelTask(free.CorrelationId, T0)).WaitAsync(Deadline)).ShouldBe(CommandResult.Applied);
        waiting.IsCompleted.ShouldBeFalse();
        await transaction.RollbackAsync();

        (await waiting.WaitAsync(Deadline)).ShouldBe(CommandResult.Applied);
        (await TypesOfAsync(held)).ShouldBe([TaskEventType.Submitted, TaskEventType.Cancelled]);
    }

    [Fact]
    public async Task A_process_that_freezes_in_a_transaction_loses_its_locks_after_two_seconds()
    {
        var task = New();
        await Store.InsertAsync([task]);
        await using var source = PostgresProvider.CreateSource(_fixture.Database.ConnectionString, PostgresProvider.StoreOptions, 1);
        await using var frozen = await source.OpenConnectionAsync();
        await using var transaction = await frozen.BeginTransactionAsync();
        await using var hold = new NpgsqlCommand("select id from ready for update", frozen, transaction);
        (await hold.ExecuteScalarAsync()).ShouldBe(task.CorrelationId);

        (await _fixture.Engine.SendAsync(new CancelTask(task.CorrelationId, T0)).WaitAsync(TimeSpan.FromSeconds(8)))
            .ShouldBe(CommandResult.Applied);

        var fault = await Should.ThrowAsync<Exception>(() => hold.ExecuteScalarAsync());
        StorageFaults.IsTransient(fault).ShouldBeTrue();
    }

    [Fact]
    public async Task A_sweep_skips_rows_that_are_locked()
    {
        var (locked, free) = (New(change: t => t.ExpiresAt = T0), New(change: t => t.ExpiresAt = T0));
        await Store.InsertAsync([locked, free]);
        await using var other = _fixture.Database.CreateContext();
        await using var transaction = await LockAsync(other, locked);

        (await Store.SelectAsync(Sweep.Expired, T0, 10)).ShouldBe([free.CorrelationId]);
    }

    [Fact]
    public async Task Tasks_are_inserted_in_the_order_of_their_ids_so_that_two_processes_never_wait_for_each_other()
    {
        foreach (var insert in new Func<TaskState[], Task>[] { tasks => Store.InsertAsync(tasks), SaveAsync })
        {
            TaskState[] tasks = [New(), New()];
            await using var other = _fixture.Database.CreateContext();
            await using var transaction = await other.Database.BeginTransactionAsync();
            await AddAsync(other, tasks[0]);

            var inserting = insert([tasks[1], tasks[0]]);
            await UntilBlockedAsync();
            (await CountAsync("select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database "
                + "where datname = current_database())"))
                .ShouldBe(0, "a partition is locked after the rows");
            await AddAsync(other, tasks[1]).WaitAsync(Deadline); // neither waits nor meets a deadlock
            await transaction.CommitAsync();

            await inserting.WaitAsync(Deadline);
            (await _fixture.Database.GetAsync(tasks[1].CorrelationId)).Worker.ShouldBe("other");
        }
    }

    [Fact]
    public async Task Events_get_their_ids_under_the_partition_lock_so_the_outbox_dispatcher_skips_none()
    {
        var (claimable, fresh, saved) = (New("claimable"), New(), New());
        await Store.InsertAsync([claimable]);
        foreach (var write in new Func<Task>[]
        {
            () => Store.InsertAsync([fresh]),
            () => Store.ClaimAsync(new ClaimRequest([new("claimable", 0)], 1, "w", 1000), T0),
            () => SaveNewAsync(saved),
        })
        {
            await using var other = _fixture.Database.CreateContext();
            await using var transaction = await other.Database.BeginTransactionAsync();
            await other.Database.ExecuteSqlAsync(
                $"select pg_advisory_xact_lock({LockSpace}, s) from generate_series(0, {TaskEvent.Partitions - 1}) as s");
            var drawn = await CountAsync(LastEventId);

            var writing = write();
            await UntilBlockedAsync();
            (await CountAsync(LastEventId)).ShouldBe(drawn);
            await transaction.CommitAsync();

            await writing.WaitAsync(Deadline);
            (await CountAsync(LastEventId)).ShouldBe(drawn + 1);
        }
    }

    [Fact]
    public async Task A_rolled_back_task_is_neither_accepted_nor_handed_out()
    {
        var (task, fresh) = (New(), New());
        await Store.InsertAsync([task]);
        await ExecuteAsync(
            """
            create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no commit'; end $$;
            create constraint trigger refuse after insert on outbox deferrable initially deferred
                for each row execute function refuse();
            """);
        try
        {
            (await Should.ThrowAsync<PostgresException>(() => Store.InsertAsync([fresh]))).MessageText.ShouldBe("no commit");
            (await Should.ThrowAsync<PostgresException>(() => Store.ClaimAsync(new ClaimRequest([new("q", 0)], 1, "w", 1000), T0)))
                .MessageText.ShouldBe("no commit");
        }
        finally
        {
            await ExecuteAsync("drop trigger refuse on outbox; drop function refuse()");
        }

        (await _fixture.Database.FindAsync(fresh.CorrelationId)).ShouldBeNull();
        (await _fixture.Database.GetAsync(task.CorrelationId)).State.ShouldBe(TaskStates.Pending);
    }

    private static Task AddAsync(TaskDbContext context, TaskState task) =>
        context.InsertAsync(New(change: t => (t.CorrelationId, t.Worker) = (task.CorrelationId, "other")));

    /// <summary>Locks the row of a waiting task until the end of the transaction.</summary>
    private static async Task<IDbContextTransaction> LockAsync(TaskDbContext context, TaskState task)
    {
        var transaction = await context.Database.BeginTransactionAsync();
        await context.Database.ExecuteSqlAsync($"select 1 from ready where id = {task.CorrelationId} for update");
        return transaction;
    }

    /// <summary>Loaded tasks that were retried, and then failed.</summary>
    private static List<TaskState> Ended(Dictionary<Guid, TaskState> loaded)
    {
        foreach (var task in loaded.Values)
        {
            task.Record(TaskEventType.Retrying, T0);
            (task.State, task.FinishedAt) = (TaskStates.Failed, T0);
            task.Record(TaskEventType.Failed, T0);
        }

        return [.. loaded.Values];
    }

    private async Task<IEnumerable<TaskEventType>> TypesOfAsync(TaskState task) =>
        (await _fixture.Database.EventsOfAsync(task.CorrelationId)).Select(e => e.Type);

    /// <summary>Inserts like a group of commands; other processes take the ids meanwhile.</summary>
    private async Task SaveAsync(TaskState[] tasks)
    {
        await using var session = await Store.BeginAsync();
        foreach (var task in tasks)
            task.Record(TaskEventType.Submitted, T0);
        await Should.ThrowAsync<TaskIdTakenException>(() => session.SaveAsync(tasks, []));
    }

    private async Task SaveNewAsync(TaskState task)
    {
        await using var session = await Store.BeginAsync();
        task.Record(TaskEventType.Submitted, T0);
        (await session.SaveAsync([task], [])).ShouldBeEmpty();
    }

    private Task UntilBlockedAsync() => Eventually.UntilAsync(
        async () =>
            await CountAsync("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") > 0,
        Deadline, "a session waits for another");

    private async Task ExecuteAsync(string sql)
    {
        await using var source = NpgsqlDataSource.Create(_fixture.Database.ConnectionString);
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    private async Task<long> CountAsync(string sql)
    {
        await using var source = NpgsqlDataSource.Create(_fixture.Database.ConnectionString);
        await using var command = source.CreateCommand(sql);
        return (long)(await command.ExecuteScalarAsync())!;
    }
}
