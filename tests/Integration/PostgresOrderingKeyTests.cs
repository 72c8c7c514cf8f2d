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
        await using var other = await OpenTransaction.BeginAsync(_database);
        var late = TaskId.New(TimeProvider.System);
        await other.ExecuteAsync("select 1 from ready where id = $1 for update", first);
        await other.ExecuteAsync(
            """
            with submitted as (
                insert into tasks (id, queue, tier, priority, push, ordering_key, payload, max_attempts, default_lease_ms, created_at,
                    due_at)
                select $2, queue, tier, priority, push, ordering_key, payload, 4, default_lease_ms, now() + interval '1 minute', due_at
                from tasks where id = $1)
            insert into ready (id, state, queue, tier, priority, push, ordering_key, blocked, attempt, attempts_left, max_attempts,
                default_lease_ms, lease_ms, created_at, due_at, octets)
            select $2, 3, queue, tier, priority, push, ordering_key, true, 0, 4, 4, default_lease_ms, 0, now() + interval '1 minute', due_at,
                octets
            from ready where id = $1
            """, first, late); // accepted after the purge began

        var purge = _engine.Queues.PurgeAsync("q");
        await other.UntilItBlocksAsync(purge);
        await other.CommitAsync();
        (await purge).ShouldBeTrue();

        (await _database.GetAsync(first)).State.ShouldBe(TaskStates.Cancelled);
        (await _database.GetAsync(late))
            .ShouldSatisfyAllConditions(t => t.State.ShouldBe(TaskStates.Pending), t => t.Blocked.ShouldBeFalse());
    }

    [Fact]
    public async Task A_task_that_arrives_while_the_head_ends_is_not_left_blocked()
    {
        var (first, second) = (await SubmitAsync("t"), await SubmitAsync("t"));
        await using var ending = await OpenTransaction.BeginAsync(_database);
        await ending.ExecuteAsync("update ordering_keys set queue = queue"); // as whoever ends a head
        await ending.ExecuteAsync("delete from ready where id = $1", first);

        var late = New("t");
        var submit = _engine.Tasks.SubmitAsync(late);
        await ending.UntilItBlocksAsync(submit);
        await ending.CommitAsync();
        await submit;

        (await _database.GetAsync(second)).Blocked.ShouldBeFalse();
        (await _database.GetAsync(late.Id)).Blocked.ShouldBeTrue();
    }

    [Fact]
    public async Task A_task_is_promoted_when_the_one_before_it_goes_during_the_promotion()
    {
        var (first, second) = (await SubmitAsync("t"), await SubmitAsync("t"));
        await using var setUp = await OpenTransaction.BeginAsync(_database);
        await setUp.ExecuteAsync("delete from ready where id = $1", first);
        await setUp.CommitAsync(); // the key is in between two heads
        await using var cancelling = await OpenTransaction.BeginAsync(_database);
        await cancelling.ExecuteAsync("delete from ready where id = $1", second); // blocked: whoever cancels it promotes nobody

        var late = New("t");
        var submit = _engine.Tasks.SubmitAsync(late);
        await cancelling.UntilItBlocksAsync(submit);
        await cancelling.CommitAsync();
        await submit;

        (await _database.GetAsync(late.Id)).Blocked.ShouldBeFalse();
    }

    private static TaskSubmission New(string orderingKey) => new(TaskId.New(TimeProvider.System), "q", "{}") { OrderingKey = orderingKey };

    private async Task<Guid> SubmitAsync(string orderingKey) => (await _engine.Tasks.SubmitAsync(New(orderingKey))).Id;
}
