using Microsoft.EntityFrameworkCore;
using Npgsql;
using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
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

    private const string LastEventId = "select pg_sequence_last_value(pg_get_serial_sequence('task_events', 'id'))";

    private readonly PostgresStoreFixture _fixture = fixture;

    private ITaskStore Store => _fixture.Engine.Store;

    [Fact]
    public async Task A_session_locks_what_it_loads()
    {
        var task = New();
        await Store.InsertAsync([task]);
        var session = await Store.BeginAsync();
        await session.LoadAsync([task.CorrelationId]);

        (await Store.ClaimAsync(new ClaimRequest([new("q", 0)], 1, "w", 1000), T0)).ShouldBeEmpty();
        await using var other = await Store.BeginAsync();
        var waiting = other.LoadAsync([task.CorrelationId]);
        await UntilBlockedAsync();
        waiting.IsCompleted.ShouldBeFalse();
        await session.DisposeAsync();

        (await waiting.WaitAsync(Deadline)).ShouldContainKey(task.CorrelationId);
    }

    [Fact]
    public async Task A_process_that_freezes_in_a_transaction_loses_its_locks_after_two_seconds()
    {
        var task = New();
        await Store.InsertAsync([task]);
        await using var frozen = await Store.BeginAsync();
        var loaded = await frozen.LoadAsync([task.CorrelationId]);

        await using (var other = await Store.BeginAsync())
            (await other.LoadAsync([task.CorrelationId]).WaitAsync(TimeSpan.FromSeconds(8))).ShouldContainKey(task.CorrelationId);

        var fault = await Should.ThrowAsync<Exception>(() => frozen.SaveAsync([], [loaded[task.CorrelationId]]));
        StorageFaults.IsTransient(fault).ShouldBeTrue();
    }

    [Fact]
    public async Task A_sweep_skips_rows_that_are_locked()
    {
        var (locked, free) = (New(change: t => t.ExpiresAt = T0), New(change: t => t.ExpiresAt = T0));
        await Store.InsertAsync([locked, free]);
        await using var session = await Store.BeginAsync();
        await session.LoadAsync([locked.CorrelationId]);

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
                .ShouldBe(0, "a stream is locked after the rows");
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
                $"select pg_advisory_xact_lock({LockSpace}, s) from generate_series(0, {TaskEvent.Streams - 1}) as s");
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
            create constraint trigger refuse after insert on task_events deferrable initially deferred
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
            await ExecuteAsync("drop trigger refuse on task_events; drop function refuse()");
        }

        (await _fixture.Database.FindAsync(fresh.CorrelationId)).ShouldBeNull();
        (await _fixture.Database.GetAsync(task.CorrelationId)).State.ShouldBe(TaskStates.Pending);
    }

    [Fact]
    public async Task Only_one_process_runs_the_outbox_dispatcher_until_it_releases_the_lock()
    {
        await using var second = new TestEngine(_fixture.Database.Address);
        var first = await LeadAsync(Store);
        first.ShouldNotBeNull();

        (await LeadAsync(second.Store)).ShouldBeNull();
        (await LeadAsync(Store)).ShouldBeNull();
        first.Lost.IsCompleted.ShouldBeFalse();
        await first.DisposeAsync();

        await using var next = await LeadAsync(second.Store);
        next.ShouldNotBeNull();
    }

    [Fact]
    public async Task An_outbox_dispatcher_notices_a_broken_connection_and_another_takes_over()
    {
        await using var first = (await LeadAsync(Store)).ShouldNotBeNull();

        await ExecuteAsync("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and database = (select oid from "
            + "pg_database where datname = current_database())");

        await Should.ThrowAsync<Exception>(first.Lost.WaitAsync(Deadline));
        first.Lost.IsFaulted.ShouldBeTrue();
        await using var next = await Eventually.UntilAsync(() => LeadAsync(Store), Deadline, "the lock is free");
    }

    [Fact]
    public async Task Another_process_wakes_the_outbox_dispatcher()
    {
        await using var second = new TestEngine(_fixture.Database.Address);
        var woken = new TaskCompletionSource();
        await using var lease = await Store.TryAcquireOutboxLeaseAsync(() => woken.TrySetResult(), CancellationToken.None);

        await second.Store.WakeDispatcherAsync();

        await woken.Task.WaitAsync(Deadline);
    }

    private static async Task AddAsync(TaskDbContext context, TaskState task)
    {
        context.Tasks.Add(New(change: t => (t.CorrelationId, t.Worker) = (task.CorrelationId, "other")));
        await context.SaveChangesAsync();
    }

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
        await session.SaveAsync([task], []);
    }

    private Task UntilBlockedAsync() => Eventually.UntilAsync(
        async () =>
            await CountAsync("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") > 0,
        Deadline, "a session waits for another");

    private static Task<IOutboxLease?> LeadAsync(ITaskStore store) => store.TryAcquireOutboxLeaseAsync(() => { }, CancellationToken.None);

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
