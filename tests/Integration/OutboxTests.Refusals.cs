using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Storage;
using TaskQueue.Tests.EndToEnd;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>What a server that refuses tasks, or is away, means for the tasks of an outbox.</summary>
public abstract partial class OutboxTests
{
    [Fact]
    public async Task Refused_tasks_are_set_aside_with_their_error_and_hold_up_no_other()
    {
        await using var app = await StartAsync();
        using var meters = new OutboxMeters(app.Meters);
        var bad = new NewTask(_queue, "bad") { MaxAttempts = 0 };
        var large = new NewTask(_queue, "large") { Data = $"\"{new string('x', 2 * 1024 * 1024)}\"" };

        await app.HandleAsync(async db =>
        {
            for (var i = 0; i < 20; i++)
            {
                db.Enqueue(_queue, "good", i);
                if (i is 3 or 11)
                    db.Enqueue(i == 3 ? bad : large);
            }

            return await db.SaveChangesAsync();
        });
        await app.EmptyAsync();

        (await NamesAsync()).ShouldBe(Enumerable.Repeat("good", 20));
        var aside = await app.Admin.ListSetAsideAsync();
        aside.Select(t => t.TaskId).ShouldBe([bad.Id, large.Id], ignoreOrder: true);
        var refused = aside.Single(t => t.TaskId == bad.Id);
        refused.Error.ShouldNotBeNull().ShouldContain("max_attempts must be 1 to 100");
        (refused.Attempts, refused.Queue, refused.LockedBy).ShouldBe((1, _queue, null));
        (await app.Admin.ListSetAsideAsync(max: 1, after: aside[0].Sequence)).ShouldHaveSingleItem().TaskId.ShouldBe(aside[1].TaskId);
        await Eventually.UntilAsync(
            () => Task.FromResult(meters.Read("aside") == 2 && meters.Read("pending") == 0), Patience, "the gauges show it");
        (meters.Read("sent"), meters.Read("set_aside"), meters.Read("oldest_age")).ShouldBe((20, 2, 0));

        (await app.Admin.RetryAsync([bad.Id])).ShouldBe(1);
        await app.EmptyAsync(); // set aside again
        (await app.Admin.DiscardAsync([bad.Id])).ShouldBe(1);
        (await app.Admin.DiscardAsync(taskIds: null)).ShouldBe(1);
        (await app.Admin.GetStatisticsAsync()).ShouldBe(new OutboxStatistics(0, TimeSpan.Zero, 0));
    }

    [Fact]
    public async Task While_the_server_is_away_tasks_wait_in_order_and_the_health_check_says_so()
    {
        var time = new SteppedTime();
        WatchedProducer? producer = null;
        await using var app = await StartAsync(new OutboxAppSettings
        {
            Time = time,
            Producer = client => producer = new WatchedProducer(client) { Outage = new TaskQueueException("away", 0) },
        });

        List<Guid> ids = [.. await app.EnqueueAsync(_queue, 5), .. await app.EnqueueAsync(_queue, 5)];
        await Eventually.UntilAsync(async () => (await RowsAsync(app)).Exists(r => r.Error == "away"), Patience, "its error is stored");
        (await app.HealthAsync()).ShouldBe(HealthStatus.Healthy);
        time.Step(TimeSpan.FromMinutes(6));
        (await app.HealthAsync()).ShouldBe(HealthStatus.Degraded);
        (await RowsAsync(app)).ShouldAllBe(r => r.Attempts == 0);

        producer!.Outage = null;
        await app.EmptyAsync();
        producer.Sent.ShouldBe(ids);
        (await app.HealthAsync()).ShouldBe(HealthStatus.Healthy);
        (await stack.Http.ClaimAsync(_queue, max: 100)).Select(t => t.Id()).ShouldBe(ids);
    }

    [Fact]
    public async Task A_queue_that_the_key_may_not_use_holds_up_no_other_and_is_tried_again()
    {
        var time = new SteppedTime();
        var closed = $"{_queue}-closed";
        ForbiddenQueue? producer = null;
        await using var app = await StartAsync(new OutboxAppSettings
        {
            Time = time, Producer = client => producer = new ForbiddenQueue(client) { Name = closed },
        });

        await app.HandleAsync(async db =>
        {
            for (var i = 0; i < 6; i++)
                db.Enqueue(i % 2 == 0 ? _queue : closed, "ship", i);
            return await db.SaveChangesAsync();
        });

        await Eventually.UntilAsync(
            async () => (await RowsAsync(app)) is { Count: 3 } rows && rows.TrueForAll(r => r.Queue == closed && r.Attempts > 0),
            Patience, "the others are sent");
        (await stack.Http.ClaimAsync(_queue, max: 100)).Count.ShouldBe(3);
        producer!.Name = null;
        time.Step(TimeSpan.FromMinutes(10));
        await app.EmptyAsync();
        (await stack.Http.ClaimAsync(closed, max: 100)).Count.ShouldBe(3);
    }

    [Fact]
    public async Task An_outage_that_shows_as_an_unexpected_exception_counts_for_no_row()
    {
        WatchedProducer? producer = null;
        await using var app = await StartAsync(new OutboxAppSettings
        {
            Options = o => o.MaxAttempts = 1,
            Producer = client => producer = new WatchedProducer(client) { Outage = new InvalidOperationException("no key to encode with") },
        });

        var ids = await app.EnqueueAsync(_queue, 15);
        await Eventually.UntilAsync(async () => (await RowsAsync(app)).TrueForAll(r => r.Error is not null), Patience, "all have failed");
        (await RowsAsync(app)).ShouldAllBe(r => r.Attempts == 0 && r.SetAsideAt == null);

        producer!.Outage = null;
        await app.EmptyAsync();
        producer.Sent.ShouldBe(ids);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_row_that_fails_as_in_an_outage_falls_back_when_others_pass(bool unexpected)
    {
        var slow = $"{_queue}-slow";
        await using var app = await StartAsync(new OutboxAppSettings
        {
            Options = o => o.BatchSize = 2,
            Producer = client => new ForbiddenQueue(client)
            {
                Name = slow, Fault = unexpected ? new InvalidOperationException("no key") : new TaskQueueException("too slow", 504),
            },
        });

        await app.HandleAsync(async db =>
        {
            foreach (var queue in new[] { slow, slow, _queue, _queue, _queue })
                db.Enqueue(queue, "ship", 1);
            return await db.SaveChangesAsync();
        });

        await Eventually.UntilAsync(
            async () => (await RowsAsync(app)) is { Count: 2 } rows && rows.TrueForAll(r => r.Queue == slow && r.Attempts > 0),
            Patience, "the others are sent");
        (await stack.Http.ClaimAsync(_queue, max: 100)).Count.ShouldBe(3);
    }

    [Theory]
    [InlineData(500)]
    [InlineData(20)]
    [InlineData(1)]
    public async Task However_many_rows_fail_by_themselves_the_one_behind_them_is_sent(int batchSize)
    {
        var broken = $"{_queue}-broken";
        await using var app = await StartAsync(new OutboxAppSettings
        {
            Options = o => o.BatchSize = batchSize,
            Producer = client => new ForbiddenQueue(client) { Name = broken, Fault = new InvalidOperationException("no key") },
        });

        await app.HandleAsync(async db =>
        {
            for (var i = 0; i < 150; i++)
                db.Enqueue(broken, "ship", i);
            db.Enqueue(_queue, "ship", 1);
            return await db.SaveChangesAsync();
        });
        await SentAsync();
        await app.EnqueueAsync(_queue, 2); // while there is nothing but bad ones
        await SentAsync();

        (await stack.Http.ClaimAsync(_queue, max: 10)).Count.ShouldBe(3);
        (await RowsAsync(app)).Count(r => r.SetAsideAt is null).ShouldBe(150);

        Task SentAsync() => Eventually.UntilAsync(
            async () => (await RowsAsync(app)).TrueForAll(r => r.Queue == broken), Patience, "the good ones are sent");
    }

    private static Task<List<OutboxTask>> RowsAsync(OutboxApp app) =>
        app.HandleAsync(db => db.Set<OutboxTask>().AsNoTracking().OrderBy(r => r.Sequence).ToListAsync());

    /// <summary>A server that fails for one queue, which the key may not use.</summary>
    private sealed class ForbiddenQueue(ITaskProducer producer) : OutboxProducer
    {
        public string? Name { get; set; }

        public Exception Fault { get; init; } = new TaskQueueException("not for this queue", 403, "forbidden");

        protected override Task<IReadOnlyList<EnqueuedTask>> SendAsync(List<NewTask> tasks, CancellationToken cancellationToken) =>
            tasks.Exists(t => t.Queue == Name) ? throw Fault : producer.EnqueueManyAsync(tasks, cancellationToken);
    }

    /// <summary>The metrics of one program: sums of counters, last values of gauges.</summary>
    private sealed class OutboxMeters : IDisposable
    {
        private readonly ConcurrentDictionary<string, double> _values = new();
        private readonly MeterListener _listener = new();

        public OutboxMeters(IMeterFactory meters)
        {
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == OutboxTelemetry.MeterName && ReferenceEquals(instrument.Meter.Scope, meters))
                    listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<long>((instrument, value, _, _) =>
                _values.AddOrUpdate(Short(instrument), value, (_, old) => instrument is Counter<long> ? old + value : value));
            _listener.SetMeasurementEventCallback<double>((instrument, value, _, _) => _values[Short(instrument)] = value);
            _listener.Start();
        }

        public double? Read(string name)
        {
            _listener.RecordObservableInstruments();
            return _values.TryGetValue(name, out var value) ? value : null;
        }

        public void Dispose() => _listener.Dispose();

        private static string Short(Instrument instrument) => instrument.Name["taskqueue.client.outbox.".Length..];
    }
}

/// <summary>The outbox in PostgreSQL.</summary>
public sealed class PostgresOutboxTests(SqliteStack stack) : OutboxTests(DatabaseProvider.Postgres, stack), IClassFixture<SqliteStack>;

/// <summary>The outbox in SQLite.</summary>
public sealed class SqliteOutboxTests(SqliteStack stack) : OutboxTests(DatabaseProvider.Sqlite, stack), IClassFixture<SqliteStack>;
