using Npgsql;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>Ordering keys under concurrent transactions of other processes that a test holds open at the worst moment.</summary>
public sealed class PostgresOrderingKeyTests : IAsyncLifetime
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    private TestDatabase _database = null!;
    private TestEngine _engine = null!;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        _engine = new TestEngine(_database.Address);
        await _engine.Queues.CreateAsync("q", Delivery.Pull, new QueueSettings());
    }

    public async Task DisposeAsync()
    {
        await _engine.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task A_task_that_arrives_during_a_purge_becomes_the_head_of_its_key()
    {
        var first = await SubmitAsync("t");
        await using var other = await Other.BeginAsync(_database);
        var late = TaskId.New(TimeProvider.System);
        await other.ExecuteAsync("select 1 from tasks where id = $1 for update", first);
        await other.ExecuteAsync(
            """
            insert into tasks (id, state, queue, tier, priority, push, ordering_key, blocked, payload, attempt, attempts_left, max_attempts,
                default_lease_ms, lease_ms, created_at, due_at, limited, dead)
            select $2, 3, queue, tier, priority, push, ordering_key, true, payload, 0, 4, 4, default_lease_ms, 0, created_at, due_at,
                false, false
            from tasks where id = $1
            """, first, late);

        var purge = _engine.Queues.PurgeAsync("q");
        await other.UntilItBlocksAsync(purge);
        await other.CommitAsync();
        (await purge).ShouldBeTrue();

        (await _database.GetAsync(first)).State.ShouldBe(TaskStates.Cancelled);
        (await _database.GetAsync(late))
            .ShouldSatisfyAllConditions(t => t.State.ShouldBe(TaskStates.Pending), t => t.Blocked.ShouldBeFalse());
    }

    [Fact]
    public async Task A_task_that_arrives_during_a_promotion_is_not_left_blocked()
    {
        var (first, second, elsewhere) = (await SubmitAsync("t"), await SubmitAsync("t"), await SubmitAsync("u"));
        await using var ending = await Other.BeginAsync(_database);
        await ending.ExecuteAsync("update tasks set blocked = true where id = $1", elsewhere);
        await ending.CommitAsync(); // key u is in between two heads

        await using var swap = await Other.BeginAsync(_database);
        await swap.ExecuteAsync("update tasks set state = 8, blocked = false where id = $1", first);
        await swap.ExecuteAsync("update tasks set blocked = false where id = $1", second);
        await using var hold = await Other.BeginAsync(_database);
        await hold.ExecuteAsync("select 1 from tasks where id = $1 for update", elsewhere);

        var late = new[] { New("t"), New("u") };
        var submit = _engine.Tasks.SubmitManyAsync(late);
        await swap.UntilItBlocksAsync(submit);
        await swap.CommitAsync();
        await hold.UntilItBlocksAsync(submit);
        await using var end = await Other.BeginAsync(_database);
        await end.ExecuteAsync("update tasks set state = 8, blocked = false where id = $1", second); // sees no other member
        await hold.CommitAsync();
        await end.UntilItBlocksAsync(submit);
        await end.CommitAsync();
        await submit;

        (await _database.GetAsync(late[0].Id)).Blocked.ShouldBeFalse();
        (await _database.GetAsync(elsewhere)).Blocked.ShouldBeFalse();
        (await _database.GetAsync(late[1].Id)).Blocked.ShouldBeTrue();
    }

    private static TaskSubmission New(string orderingKey) => new(TaskId.New(TimeProvider.System), "q", "{}") { OrderingKey = orderingKey };

    private async Task<Guid> SubmitAsync(string orderingKey) => (await _engine.Tasks.SubmitAsync(New(orderingKey))).Id;

    /// <summary>A transaction of another process.</summary>
    private sealed class Other(TestDatabase database, NpgsqlConnection connection, NpgsqlTransaction transaction) : IAsyncDisposable
    {
        public static async Task<Other> BeginAsync(TestDatabase database)
        {
            var connection = new NpgsqlConnection(database.ConnectionString);
            await connection.OpenAsync();
            return new Other(database, connection, await connection.BeginTransactionAsync());
        }

        public async Task ExecuteAsync(string sql, params Guid[] ids)
        {
            await using var command = new NpgsqlCommand(sql, connection, transaction);
            foreach (var id in ids)
                command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = id });
            await command.ExecuteNonQueryAsync();
        }

        /// <summary>Waits until another transaction waits for this one, or need not.</summary>
        public async Task UntilItBlocksAsync(Task other)
        {
            await using var watcher = new NpgsqlConnection(database.ConnectionString);
            await watcher.OpenAsync();
            await using var blocked = new NpgsqlCommand(
                $"select count(*) from pg_stat_activity where {connection.ProcessID} = any(pg_blocking_pids(pid))", watcher);
            await Eventually.UntilAsync(
                async () => other.IsCompleted || await blocked.ExecuteScalarAsync() is long and > 0,
                Deadline, "somebody waits for the transaction");
        }

        public Task CommitAsync() => transaction.CommitAsync();

        public async ValueTask DisposeAsync()
        {
            await transaction.DisposeAsync();
            await connection.DisposeAsync();
        }
    }
}
