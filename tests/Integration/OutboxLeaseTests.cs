using Microsoft.Extensions.Time.Testing;
using Npgsql;
using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

/// <summary>The lease of the outbox dispatcher on PostgreSQL.</summary>
public sealed class OutboxLeaseTests(PostgresStoreFixture fixture) : IClassFixture<PostgresStoreFixture>
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    private ITaskStore Store => fixture.Engine.Store;

    [Fact]
    public async Task One_process_has_the_lease_until_it_lets_go()
    {
        await using var second = new TestEngine(fixture.Database.Address);
        var first = (await TryLeadAsync(Store, "first")).Lease.ShouldNotBeNull();

        var refused = await TryLeadAsync(second.Store, "second");
        (refused.Lease, refused.Holder).ShouldBe((null, "first"));
        (await Store.TryLeadAsync()).ShouldBeNull();
        first.IsHeld.ShouldBeTrue();
        await first.DisposeAsync();

        await using var next = await second.Store.TryLeadAsync();
        next.ShouldNotBeNull();
    }

    [Fact]
    public async Task A_holder_that_renews_keeps_the_lease()
    {
        await using var second = new TestEngine(fixture.Database.Address);
        await using var first = (await Store.TryLeadAsync()).ShouldNotBeNull();
        var begin = await HeldUntilAsync();

        await Eventually.UntilAsync(async () => await HeldUntilAsync() > begin.AddSeconds(4), Deadline, "it was renewed often enough");

        (await second.Store.TryLeadAsync()).ShouldBeNull();
        first.IsHeld.ShouldBeTrue();
    }

    [Fact]
    public async Task A_frozen_holder_loses_the_lease_and_saves_nothing_any_more()
    {
        var time = new FakeTimeProvider(); // stands still: nothing is renewed
        await using var frozen = new TestEngine(fixture.Database.Address, time: time);
        await using var late = (await frozen.Store.TryLeadAsync()).ShouldNotBeNull();
        await using var next = await Eventually.UntilAsync(() => Store.TryLeadAsync(), Deadline, "the lease has ended");
        var before = await Store.LoadOffsetsAsync();
        long[] offsets = [.. before.Select(o => o + (1L << 40))];

        await late.SaveOffsetsAsync(offsets);
        (await Store.LoadOffsetsAsync()).ShouldBe(before);
        time.Advance(TimeSpan.FromSeconds(10));

        late.IsHeld.ShouldBeFalse();
        await Should.ThrowAsync<Exception>(late.Lost.WaitAsync(Deadline));
        next!.IsHeld.ShouldBeTrue();
    }

    [Fact]
    public async Task A_lease_that_has_ended_for_its_holder_is_never_held_again()
    {
        var time = new FakeTimeProvider();
        await using var engine = new TestEngine(fixture.Database.Address, time: time);
        await using var lease = (await engine.Store.TryLeadAsync()).ShouldNotBeNull();
        await ExecuteAsync("update outbox_lease set held_until = clock_timestamp() + interval '30 seconds'"); // nobody else takes it
        try
        {
            time.Advance(TimeSpan.FromSeconds(3)); // the renewal that is due finds it too late, though the row is its own
            lease.IsHeld.ShouldBeFalse();

            await Should.ThrowAsync<Exception>(lease.Lost.WaitAsync(Deadline));
            lease.IsHeld.ShouldBeFalse();
        }
        finally
        {
            await ExecuteAsync("update outbox_lease set held_until = '-infinity'");
        }
    }

    [Fact]
    public async Task A_lease_that_would_last_for_hours_because_the_clock_was_set_back_is_free()
    {
        await ExecuteAsync("update outbox_lease set held_until = clock_timestamp() + interval '2 hours'");

        await using var lease = await Store.TryLeadAsync();

        lease.ShouldNotBeNull();
    }

    [Fact]
    public async Task A_holder_that_is_told_that_it_lost_the_lease_stops_at_its_next_renewal()
    {
        await using var first = (await Store.TryLeadAsync()).ShouldNotBeNull();
        await ExecuteAsync("update outbox_lease set lease_epoch = lease_epoch + 1, holder = gen_random_uuid()");
        try
        {
            await Should.ThrowAsync<Exception>(first.Lost.WaitAsync(Deadline));
            first.IsHeld.ShouldBeFalse();
        }
        finally
        {
            await ExecuteAsync("update outbox_lease set held_until = '-infinity'");
        }
    }

    [Fact]
    public async Task After_a_failover_to_a_replica_that_lagged_nothing_that_was_published_before_hides_an_event()
    {
        await using var servers = await OwnServers.StartAsync();
        await using var database = await TestDatabase.CreateAsync(servers);
        await using var engine = new TestEngine(database.Address);
        await engine.Store.InsertAsync([New()]);
        await using var lease = (await engine.Store.TryLeadAsync()).ShouldNotBeNull();
        await PublishAsync(engine.Store, lease, await engine.Store.LoadOffsetsAsync());
        await servers.RunAsync("back-up-postgres");
        await engine.Store.InsertAsync([.. Enumerable.Range(0, 100).Select(_ => New())]); // the replica never gets these
        var published = await PublishAsync(engine.Store, lease, await engine.Store.LoadOffsetsAsync());

        await servers.RunAsync("fail-over");
        await Eventually.UntilAsync(async () => await ReachesAsync(engine.Store), Deadline, "the pool has new connections");
        var after = New();
        await engine.Store.InsertAsync([after]);
        await lease.SaveOffsetsAsync(published); // as a dispatcher does that has not noticed yet

        await Should.ThrowAsync<Exception>(lease.Lost.WaitAsync(Deadline));
        await using var next = await Eventually.UntilAsync(() => engine.Store.TryLeadAsync(), Deadline, "the lost server's lease ends");
        (await engine.Store.ReadEventsAsync(await engine.Store.LoadOffsetsAsync(), 1000)).Select(e => e.TaskId)
            .ShouldBe([after.CorrelationId]);
    }

    private static Task<OutboxLeaseAnswer> TryLeadAsync(ITaskStore store, string address) =>
        store.TryAcquireOutboxLeaseAsync(address, () => { }, CancellationToken.None);

    private static async Task<long[]> PublishAsync(ITaskStore store, IOutboxLease lease, long[] offsets)
    {
        foreach (var e in await store.ReadEventsAsync(offsets, 1000))
            offsets[e.Partition] = e.Id;
        await lease.SaveOffsetsAsync(offsets);
        return offsets;
    }

    private static async Task<bool> ReachesAsync(ITaskStore store)
    {
        try
        {
            await store.LoadOffsetsAsync();
            return true;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    private async Task<DateTime> HeldUntilAsync()
    {
        await using var source = NpgsqlDataSource.Create(fixture.Database.ConnectionString);
        await using var command = source.CreateCommand("select held_until from outbox_lease");
        return (DateTime)(await command.ExecuteScalarAsync())!;
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var source = NpgsqlDataSource.Create(fixture.Database.ConnectionString);
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
