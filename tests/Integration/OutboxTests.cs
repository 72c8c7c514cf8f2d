using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Storage;
using TaskQueue.Tests.EndToEnd;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>The outbox in an application's own database, before a real server: what a transaction decides is what happens.</summary>
public abstract partial class OutboxTests(DatabaseProvider provider, SqliteStack stack) : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly string _queue = $"o{Guid.NewGuid():N}";
    private TestDatabase _database = null!;

    public async Task InitializeAsync() => _database = await ShopDb.CreateAsync(provider);

    public async Task DisposeAsync() => await _database.DisposeAsync();

    [Fact]
    public async Task A_task_exists_exactly_if_its_transaction_commits()
    {
        await using var app = await StartAsync(new OutboxAppSettings { Pools = true });
        var taken = await app.HandleAsync(async db =>
        {
            var order = db.Orders.Add(new Order { Item = "tea" }).Entity;
            db.Enqueue(_queue, "saved", new { order.Id });
            await db.SaveChangesAsync();
            return order.Id;
        });
        await app.HandleAsync(async db =>
        {
            db.Enqueue(_queue, "never saved", 1);
            return await Task.FromResult(0);
        });
        await app.HandleAsync(async db =>
        {
            db.Orders.Add(new Order { Id = taken });
            db.Enqueue(_queue, "refused with its order", 1);
            return await Should.ThrowAsync<DbUpdateException>(() => db.SaveChangesAsync());
        });
        await InTransactionAsync(app, async (db, transaction) =>
        {
            db.Enqueue(_queue, "rolled back", 1);
            await db.SaveChangesAsync();
            await transaction.RollbackAsync();
        });
        await InTransactionAsync(app, async (db, transaction) =>
        {
            db.Enqueue(_queue, "before the savepoint", 1);
            await db.SaveChangesAsync();
            await transaction.CreateSavepointAsync("s");
            db.Enqueue(_queue, "after the savepoint", 1);
            await db.SaveChangesAsync();
            await transaction.RollbackToSavepointAsync("s");
            db.Enqueue(_queue, "after the way back", 1);
            await db.SaveChangesAsync();
            await transaction.CommitAsync();
        });

        await app.EmptyAsync();
        (await NamesAsync()).ShouldBe(["saved", "before the savepoint", "after the way back"], ignoreOrder: true);
    }

    [Fact]
    public async Task A_transaction_that_an_execution_strategy_repeats_makes_its_task_once()
    {
        var commits = new BrokenCommits();
        await using var web = await StartAsync(new OutboxAppSettings { Options = o => o.RunsRelay = false, Interceptors = [commits] });

        commits.Before = 1;
        await InTransactionAsync(web, async (db, transaction) =>
        {
            db.Enqueue(_queue, "enqueued twice", 1);
            await db.SaveChangesAsync();
            await transaction.CommitAsync();
        });
        foreach (var (before, after) in new[] { (1, 0), (0, 1) })
        {
            (commits.Before, commits.After) = (before, after);
            await web.HandleAsync(async db =>
            {
                db.Enqueue(_queue, $"saved twice {before}", 1);
                await db.Database.CreateExecutionStrategy().ExecuteAsync(async () =>
                {
                    await using var transaction = await db.Database.BeginTransactionAsync();
                    await db.SaveChangesAsync(acceptAllChangesOnSuccess: false);
                    await transaction.CommitAsync();
                });
                db.ChangeTracker.AcceptAllChanges();
                return 0;
            });
        }

        commits.Before = 100;
        await Should.ThrowAsync<RetryLimitExceededException>(() => InTransactionAsync(web, async (db, transaction) =>
        {
            db.Enqueue(_queue, "never committed", 1);
            await db.SaveChangesAsync();
            await transaction.CommitAsync();
        }));

        (await web.Admin.GetStatisticsAsync()).Pending.ShouldBe(4); // one of them is there twice, with the same id
        await using var relay = await StartAsync();
        await relay.EmptyAsync();
        (await NamesAsync()).ShouldBe(["enqueued twice", "saved twice 1", "saved twice 0"], ignoreOrder: true);
    }

    [Theory]
    [InlineData(Death.BeforeSend)]
    [InlineData(Death.MidBatch)]
    [InlineData(Death.AfterSend)]
    [InlineData(Death.WhileDeleting)]
    public async Task Wherever_a_process_dies_its_tasks_are_stored_once(Death at)
    {
        var process = new DyingProcess(at);
        List<Guid> ids;
        await using (var web = await StartAsync(new OutboxAppSettings { Options = o => o.RunsRelay = false }))
            ids = await web.EnqueueAsync(_queue, 9);
        await using (var dying = await StartAsync(new OutboxAppSettings { Producer = process.Producer, Interceptors = [process] }))
            await Eventually.UntilAsync(() => Task.FromResult(process.IsDead), Patience, "it is dead");

        var later = new SteppedTime();
        later.Step(new OutboxOptions().Lease + TimeSpan.FromSeconds(1));
        await using var next = await StartAsync(new OutboxAppSettings { Time = later });
        await next.EmptyAsync();

        (await stack.Http.ClaimAsync(_queue, max: 100)).Select(t => t.Id()).ShouldBe(ids);
    }

    [Fact]
    public async Task Rows_whose_lease_was_not_answered_are_sent_nevertheless()
    {
        var answers = new LostLeases();
        await using var app = await StartAsync(
            new OutboxAppSettings { Interceptors = [answers], Options = o => o.Lease = TimeSpan.FromHours(1) });

        var ids = await app.EnqueueAsync(_queue, 3);
        await app.EmptyAsync();

        answers.HasLost.ShouldBeTrue();
        (await stack.Http.ClaimAsync(_queue, max: 100)).Select(t => t.Id()).ShouldBe(ids);
    }

    [Fact]
    public async Task Two_relays_share_an_outbox_and_send_each_task_once()
    {
        List<Guid> ids;
        await using (var web = await StartAsync(new OutboxAppSettings { Options = o => o.RunsRelay = false }))
            ids = await web.EnqueueAsync(_queue, 200);
        var producers = new WatchedProducer[2];
        var both = new Meeting(2);
        var apps = await Task.WhenAll(Enumerable.Range(0, 2).Select(i => StartAsync(new OutboxAppSettings
        {
            Options = o => o.BatchSize = 10,
            Producer = client => new MeetingProducer(producers[i] = new WatchedProducer(client), both),
        })));

        await Task.WhenAll(apps.Select(a => a.EmptyAsync()));
        await Task.WhenAll(apps.Select(a => a.DisposeAsync().AsTask()));

        producers.ShouldAllBe(p => p.Sent.Count > 0);
        producers.SelectMany(p => p.Sent).Order().ShouldBe(ids.Order()); // none twice
        (await stack.Http.ClaimAsync(_queue, max: 1000)).Select(t => t.Id()).ShouldBe(ids, ignoreOrder: true);
    }

    [Fact]
    public async Task A_relay_is_woken_by_a_save_and_by_a_commit_also_of_another_context()
    {
        await using var app = await StartAsync(new OutboxAppSettings { Options = o => o.PollInterval = TimeSpan.FromMinutes(1) });

        await app.EnqueueAsync(_queue, 1);
        await app.EmptyAsync();
        await InTransactionAsync(app, async (db, transaction) =>
        {
            db.Enqueue(_queue, "ship", 1);
            await db.SaveChangesAsync();
            await transaction.CommitAsync();
        });
        await app.EmptyAsync();
        await InTransactionAsync(app, async (db, transaction) =>
        {
            await app.HandleAsync(async other =>
            {
                other.Database.SetDbConnection(db.Database.GetDbConnection());
                await other.Database.UseTransactionAsync(transaction.GetDbTransaction());
                other.Enqueue(_queue, "ship", 1);
                return await other.SaveChangesAsync();
            });
            await transaction.CommitAsync();
        });
        await app.EmptyAsync();

        (await NamesAsync()).ShouldBe(["ship", "ship", "ship"]);
    }

    private Task<OutboxApp> StartAsync(OutboxAppSettings? settings = null) =>
        OutboxApp.StartAsync(_database, stack.Http.BaseAddress!, settings);

    /// <summary>Works in a transaction that is repeated when the connection is lost.</summary>
    private static async Task InTransactionAsync(OutboxApp app, Func<ShopDb, IDbContextTransaction, Task> work) =>
        await app.HandleAsync(async db =>
        {
            await db.Database.CreateExecutionStrategy().ExecuteAsync(async () =>
            {
                await using var transaction = await db.Database.BeginTransactionAsync();
                await work(db, transaction);
            });
            return 0;
        });

    /// <summary>Names of the tasks that the server has.</summary>
    private async Task<List<string>> NamesAsync() =>
        (await stack.Http.ClaimAsync(_queue, max: 100)).ConvertAll(t => t.Text("name")!);
}
