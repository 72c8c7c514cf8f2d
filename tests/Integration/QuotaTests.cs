using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>Quotas against a database of each provider.</summary>
public sealed class QuotaTests
{
    private static readonly Dictionary<string, string?> Small = new()
    {
        ["TaskQueue:Quotas:Default:WaitingTasks"] = "5",
        ["TaskQueue:Quotas:Default:FileBytes"] = "1000",
        ["TaskQueue:Quotas:Default:Schedules"] = "2",
        ["TaskQueue:Quotas:Tenants:large:WaitingTasks"] = "-1",
        ["TaskQueue:Quotas:Tenants:small:Queues"] = "1",
    };

    public static TheoryData<DatabaseProvider> Providers => TestDatabase.Providers;

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Waiting_tasks_are_limited_per_tenant_and_submissions_are_refused_whole(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address, settings: Small);
        await engine.Committer.StartAsync(CancellationToken.None);
        (await engine.Tasks.SubmitManyAsync([Of("ann"), Of("ann") with { OrderingKey = "t" }, Of("ann") with { OrderingKey = "t" }]))
            .Count.ShouldBe(3);
        await engine.Tasks.SubmitAsync(Of("ann") with { ScheduledAt = TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(1) });

        var refused = await Should.ThrowAsync<QuotaExceededException>(() => engine.Tasks.SubmitManyAsync([Of("ann"), Of("ann")]));
        (refused.Resource, refused.Tenant, refused.Limit, refused.Used).ShouldBe((QuotaResource.WaitingTasks, "ann", 5, 4));
        var last = (await engine.Tasks.SubmitAsync(Of("ann"))).Id;
        await Should.ThrowAsync<QuotaExceededException>(() => engine.Tasks.SubmitAsync(Of("ann")));
        await Should.ThrowAsync<QuotaExceededException>(() => engine.Tasks.SubmitManyAsync([Of("ben"), Of("ann")]));
        (await engine.Tasks.SubmitManyAsync([.. Enumerable.Range(0, 5).Select(_ => Of("ben"))])).Count.ShouldBe(5);
        (await engine.Tasks.SubmitManyAsync([.. Enumerable.Range(0, 20).Select(_ => Of("large"))])).Count.ShouldBe(20);
        (await engine.Tasks.SubmitManyAsync([.. Enumerable.Range(0, 20).Select(_ => Of(null))])).Count.ShouldBe(20);

        await engine.Tasks.CancelAsync(last, Access.All);
        await Eventually.UntilAsync(
            async () => await TryAsync(() => engine.Tasks.SubmitAsync(Of("ann"))),
            TimeSpan.FromSeconds(10), "the room of the cancelled task is used");
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task No_change_of_a_budget_by_several_processes_at_the_same_time_is_lost(DatabaseProvider provider)
    {
        const int Changes = 60;
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var store = engine.Services.GetRequiredService<ITenantUsageStore>();
        var one = new SharedBudget(store, TimeProvider.System);
        SharedBudget[] processes = store.IsShared ? [one, new(store, TimeProvider.System), new(store, TimeProvider.System)] : [one];
        var key = SharedBudget.KeyOf("u", "ann");

        await SettleAllAsync(1); // a minute each

        var wait = await one.TakeAsync(key, 1, 1, CancellationToken.None);
        wait.ShouldBeInRange(TimeSpan.FromMinutes(Changes - 10), TimeSpan.FromMinutes(Changes + 1));
        await SettleAllAsync(-1);
        (await one.TakeAsync(key, 1, 1, CancellationToken.None)).ShouldBe(TimeSpan.Zero);

        Task SettleAllAsync(long difference) => Task.WhenAll(Enumerable.Range(0, Changes).Select(n =>
            processes[n % processes.Length].SettleAsync(key, 1, difference, CancellationToken.None)));
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Tasks_accepted_by_one_process_are_counted_by_another(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address, settings: Small);
        await engine.Committer.StartAsync(CancellationToken.None);
        await engine.Tasks.SubmitManyAsync([Of("ann"), Of("ann"), Of("ann"), Of("ann")]);
        await using var other = new TestEngine(database.Address, settings: Small);
        await other.Committer.StartAsync(CancellationToken.None);

        await Should.ThrowAsync<QuotaExceededException>(() => other.Tasks.SubmitManyAsync([Of("ann"), Of("ann")]));
        await other.Tasks.SubmitAsync(Of("ann"));
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Key_quotas_take_precedence_over_the_configuration(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using (var db = database.CreateContext())
        {
            db.ApiKeys.AddRange(Key("ann", new() { Queues = 7, Streams = 9 }), Key("ann", new() { Queues = 6 }),
                Key("small", new() { Queues = 2 }));
            db.ApiKeys.Add(Key("ann", new() { Queues = 1 }, revoked: true));
            var broken = Key("ben", new());
            broken.QuotaText = "{";
            db.ApiKeys.Add(broken);
            await db.SaveChangesAsync();
        }

        await using var engine = new TestEngine(database.Address, settings: Small);
        var quotas = engine.Services.GetRequiredService<TenantQuotas>();
        quotas.Of("small").Queues.ShouldBe(1);
        await quotas.ReadKeysAsync(CancellationToken.None);

        (quotas.Of("ann").Queues, quotas.Of("ann").Streams, quotas.Of("ann").WaitingTasks).ShouldBe((6, 9, 5));
        (quotas.Of("small").Queues, quotas.Of("ben").Queues, quotas.Of(null).Queues).ShouldBe((2, 1000, null));
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Files_over_the_limit_are_refused_while_they_grow_and_leave_nothing(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address, settings: Small);
        var first = await UploadAsync(engine, "ann", 600);
        (await Should.ThrowAsync<QuotaExceededException>(() => UploadAsync(engine, "ann", 401))).Used.ShouldBe(600);
        await UploadAsync(engine, "ben", 1000);
        await UploadAsync(engine, "ann", 400);
        await Should.ThrowAsync<QuotaExceededException>(() => UploadAsync(engine, "ann", 1));
        await using (var own = await engine.Files.OpenWriteAsync("ann", "batch_output", "out"))
        {
            await own.Stream.WriteAsync(new byte[500]);
            await own.CommitAsync();
        }

        (await engine.Services.GetRequiredService<FileQuota>().UsedAsync("ann")).ShouldBe(1500);
        await engine.Files.DeleteAsync(first.Id, Access.All);
        await Should.ThrowAsync<QuotaExceededException>(() => UploadAsync(engine, "ann", 101));
        await UploadAsync(engine, "ann", 100);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Concurrent_uploads_do_not_jointly_pass_the_limit(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address, settings: Small);
        await using var other = new TestEngine(database.Address, settings: Small);
        var uploads = Enumerable.Range(0, 8).Select(n => TryAsync(() => UploadAsync(n % 2 == 0 ? engine : other, "ann", 300)));
        await Task.WhenAll(uploads);

        await using var db = database.CreateContext();
        db.Files.Sum(f => f.Bytes).ShouldBeLessThanOrEqualTo(1000);
        db.Files.ShouldAllBe(f => f.Ready);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Schedules_are_counted_by_owner(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address, settings: Small);
        var schedules = engine.Services.GetRequiredService<ScheduleService>();
        var made = await Task.WhenAll(Enumerable.Range(0, 6)
            .Select(n => TryAsync(() => schedules.CreateAsync("tasks", $"s{n}", Yearly("ann")))));
        made.Count(isMade => isMade).ShouldBe(2);
        (await schedules.CreateAsync("tasks", "b", Yearly("ben"))).Change.ShouldBe(ScheduleChange.Done);
        (await schedules.CreateAsync("tasks", "n", Yearly(null))).Change.ShouldBe(ScheduleChange.Done);
    }

    private static ScheduleSettings Yearly(string? owner) => new() { Cron = "0 0 1 1 *", TimeZone = "UTC", Owner = owner };

    private static TaskSubmission Of(string? owner) => new(TaskId.New(TimeProvider.System), "q", "{}") { Owner = owner };

    private static ApiKeyRecord Key(string tenant, QuotaLimits quota, bool revoked = false) => new()
    {
        Id = Guid.NewGuid(), Name = tenant, Tenant = tenant, Hash = $"{Guid.NewGuid():N}{Guid.NewGuid():N}", QuotaText = quota.ToText(),
        CreatedAt = DateTime.UnixEpoch, RevokedAt = revoked ? DateTime.UnixEpoch : null,
    };

    private static async Task<FileRecord> UploadAsync(TestEngine engine, string owner, int bytes)
    {
        using var content = new MemoryStream(new byte[bytes]);
        return await engine.Files.CreateAsync(owner, "batch", "f", content, 1_000_000, CancellationToken.None);
    }

    private static async Task<bool> TryAsync<T>(Func<Task<T>> work)
    {
        try
        {
            await work();
            return true;
        }
        catch (QuotaExceededException)
        {
            return false;
        }
    }
}
