using Shouldly;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Clocks;
using TaskQueue.Engine.Events;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>Streams of events over a failover.</summary>
public sealed partial class FailoverTests
{
    [Fact]
    public async Task A_stream_of_events_begins_again_at_what_the_database_has()
    {
        using var feed = new EventFeed(
            _engine.Store, _engine.Queries, Get<PostCommitNotifier>(), _watched.Watch, Get<PollingServices>());
        await feed.StartAsync(CancellationToken.None);
        using var patience = new CancellationTokenSource(Patience);
        await using var batches = feed.ListenAsync(new EventFilter(null, Access.All), null, TimeSpan.FromSeconds(1), patience.Token)
            .GetAsyncEnumerator(patience.Token);
        await batches.MoveNextAsync();
        for (var i = 0; i < 100; i++)
            await SubmitAsync();
        await ReceiveAsync(batches, 100);
        await ExecuteAsync("delete from outbox; delete from ready; select setval(pg_get_serial_sequence('outbox', 'id'), 1, false)");
        await _watched.FailOverAsync();

        var ids = new List<Guid>();
        for (var i = 0; i < 100; i++)
            ids.Add(await SubmitAsync());

        (await ReceiveAsync(batches, 100)).ShouldBe(ids, ignoreOrder: true);
        await feed.StopAsync(CancellationToken.None);
    }

    [Fact]
    public async Task A_stream_skips_nothing_that_the_new_dispatcher_has_published_before_the_failover_was_noticed()
    {
        using var feed = new EventFeed(
            _engine.Store, _engine.Queries, Get<PostCommitNotifier>(), _watched.Watch, Get<PollingServices>());
        await feed.StartAsync(CancellationToken.None);
        using var patience = new CancellationTokenSource(Patience);
        await using var batches = feed.ListenAsync(new EventFilter(null, Access.All), null, TimeSpan.FromSeconds(1), patience.Token)
            .GetAsyncEnumerator(patience.Token);
        await batches.MoveNextAsync();
        for (var i = 0; i < 50; i++)
            await SubmitAsync();
        await PublishAsync();
        for (var i = 0; i < 100; i++)
            await SubmitAsync();
        await ReceiveAsync(batches, 150);
        // The new server lacks what was not published, and the next events get the same ids.
        await ExecuteAsync("delete from outbox where id > 50; delete from ready; update outbox_lease set timeline = 'before'; "
            + "select setval(pg_get_serial_sequence('outbox', 'id'), 50)");

        var ids = new List<Guid>();
        for (var i = 0; i < 50; i++)
            ids.Add(await SubmitAsync());
        await PublishAsync();
        await PublishAsync();
        await _watched.FailOverAsync();
        for (var i = 0; i < 60; i++)
            ids.Add(await SubmitAsync());

        var received = new HashSet<Guid>(); // some twice
        while (!received.IsSupersetOf(ids) && await batches.MoveNextAsync())
            received.UnionWith(batches.Current.Events.Select(e => e.Event.TaskId));
        await feed.StopAsync(CancellationToken.None);
    }

    /// <summary>Whether the new server has given the lost ids again by the time the client comes back, or not yet.</summary>
    [Theory]
    [InlineData(20)]
    [InlineData(200)]
    public async Task A_client_that_comes_back_with_an_id_of_before_misses_nothing(int submitted)
    {
        using var patience = new CancellationTokenSource(Patience);
        string last;
        using (var feed = await FeedAsync(_watched))
        {
            await using var batches = Listen(feed, null, patience.Token);
            await batches.MoveNextAsync();
            for (var i = 0; i < 50; i++)
                await SubmitAsync();
            await PublishAsync();
            for (var i = 0; i < 100; i++)
                await SubmitAsync();
            await ReceiveAsync(batches, 150);
            last = batches.Current.Events[^1].Cursor;
            await feed.StopAsync(CancellationToken.None);
        }

        await ExecuteAsync("delete from outbox where id > 50; delete from ready; update outbox_lease set timeline = 'before'; "
            + "select setval(pg_get_serial_sequence('outbox', 'id'), 50)");
        await _watched.FailOverAsync();
        var ids = new List<Guid>();
        for (var i = 0; i < submitted; i++)
            ids.Add(await SubmitAsync());
        await PublishAsync();

        // Another process, which has seen no failover.
        await using var other = new WatchedDatabase(
            Get<DatabaseClock>(), new SteppedDatabase(TimeProvider.System) { Server = _watched.Database.Server });
        using var next = await FeedAsync(other);
        using var soon = new CancellationTokenSource(Patience);
        await using var resumed = Listen(next, EventCursor.Parse(last), soon.Token);
        var received = new HashSet<Guid>(); // some twice
        while (!received.IsSupersetOf(ids) && await resumed.MoveNextAsync())
            received.UnionWith(resumed.Current.Events.Select(e => e.Event.TaskId));
        received.IsSupersetOf(ids).ShouldBeTrue();
        EventCursor.Parse(resumed.Current.Cursor)!.Server.ShouldNotBe(EventCursor.Parse(last)!.Server);
        await next.StopAsync(CancellationToken.None);
    }

    [Fact]
    public async Task The_first_stream_of_a_process_does_not_go_back_to_an_earlier_failover()
    {
        using var patience = new CancellationTokenSource(Patience);
        using var feed = await FeedAsync(_watched);
        for (var i = 0; i < 10; i++)
            await SubmitAsync(); // not published
        await _watched.FailOverAsync();
        await using var batches = Listen(feed, null, patience.Token);
        await batches.MoveNextAsync();
        var id = await SubmitAsync();

        var received = new List<Guid>();
        do
        {
            await batches.MoveNextAsync();
            received.AddRange(batches.Current.Events.Select(e => e.Event.TaskId));
        }
        while (received.Count == 0 || batches.Current.Events.Count > 0); // until nothing has happened for a while

        received.ShouldBe([id]);
        await feed.StopAsync(CancellationToken.None);
    }

    [Fact]
    public async Task A_failover_while_a_client_catches_up_hides_nothing()
    {
        using var patience = new CancellationTokenSource(Patience);
        using var feed = await FeedAsync(_watched);
        var start = new EventPosition(await _engine.Store.EndOfEventsAsync(), _watched.Watch.ServerMark);
        for (var i = 0; i < 50; i++)
            await SubmitAsync();
        await PublishAsync();
        for (var i = 0; i < 100; i++)
            await SubmitAsync();
        await using var batches = Listen(feed, start, patience.Token);
        await batches.MoveNextAsync();
        batches.Current.Events.Count.ShouldBe(150); // the listener joins after this page
        await ExecuteAsync("delete from outbox where id > 50; delete from ready; update outbox_lease set timeline = 'before'; "
            + "select setval(pg_get_serial_sequence('outbox', 'id'), 50)");
        var ids = new List<Guid>();
        for (var i = 0; i < 20; i++)
            ids.Add(await SubmitAsync());
        await PublishAsync();
        await _watched.FailOverAsync();

        var received = new HashSet<Guid>(); // some twice
        while (!received.IsSupersetOf(ids) && await batches.MoveNextAsync())
            received.UnionWith(batches.Current.Events.Select(e => e.Event.TaskId));
        received.IsSupersetOf(ids).ShouldBeTrue();
        await feed.StopAsync(CancellationToken.None);
    }

    private async Task<EventFeed> FeedAsync(WatchedDatabase watched)
    {
        await watched.Watch.MeasureAsync(CancellationToken.None);
        var feed = new EventFeed(
            _engine.Store, _engine.Queries, Get<PostCommitNotifier>(), watched.Watch, Get<PollingServices>());
        await feed.StartAsync(CancellationToken.None);
        return feed;
    }

    private static IAsyncEnumerator<EventBatch> Listen(EventFeed feed, EventPosition? after, CancellationToken cancellationToken) =>
        feed.ListenAsync(new EventFilter(null, Access.All), after, TimeSpan.FromSeconds(1), cancellationToken)
            .GetAsyncEnumerator(cancellationToken);

    /// <summary>A tenure of the outbox dispatcher that publishes all there is.</summary>
    private async Task PublishAsync()
    {
        await using var lease = await _engine.Store.TryLeadAsync();
        await lease!.SaveOffsetsAsync(await _engine.Store.EndOfEventsAsync());
    }

    private static async Task<List<Guid>> ReceiveAsync(IAsyncEnumerator<EventBatch> batches, int count)
    {
        var ids = new List<Guid>();
        while (ids.Count < count && await batches.MoveNextAsync())
            ids.AddRange(batches.Current.Events.Select(e => e.Event.TaskId));
        return ids;
    }
}
