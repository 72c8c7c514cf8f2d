using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>Whose tasks a caller sees and changes, on each database.</summary>
public abstract class AccessTests(DatabaseProvider provider) : IAsyncLifetime
{
    private static readonly Access Ann = Access.Of("ann"), Ben = Access.Of("ben"),
        Mail = new() { Others = QueuePatterns.Of(["mail*", "post_"]) };

    private TestDatabase _database = null!;
    private TestEngine _engine = null!;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(provider);
        _engine = new TestEngine(_database.Address);
    }

    public async Task DisposeAsync()
    {
        await _engine.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task Reads_show_only_the_owners_tasks()
    {
        var (hers, his, nobodys) = (await SubmitAsync("ann"), await SubmitAsync("ben"), await SubmitAsync(null));

        (await _engine.Queries.FindAsync(hers, Ann, default)).ShouldNotBeNull().Owner.ShouldBe("ann");
        (await _engine.Queries.FindAsync(hers, Ben, default)).ShouldBeNull();
        (await _engine.Queries.FindAsync(nobodys, Ann, default)).ShouldBeNull();
        Ids(await _engine.Queries.FindManyAsync([hers, his, nobodys], Ben, default)).ShouldBe([his]);
        Ids(await _engine.Queries.NewestAsync(null, 10, Ann, default)).ShouldBe([hers]);
        Ids((await _engine.Queries.ListAsync("q", TaskList.Waiting, null, 10, Ben, default)).Tasks).ShouldBe([his]);
        Ids((await _engine.Queries.ListAsync("q", TaskList.Waiting, null, 10, Access.All, default)).Tasks)
            .ShouldBe([hers, his, nobodys], ignoreOrder: true);
    }

    [Fact]
    public async Task Reads_show_only_the_keys_queues()
    {
        var (mail, post, other) = (await SubmitAsync("ann", "mail-out"), await SubmitAsync("ann", "post_1"),
            await SubmitAsync("ann", "mai"));

        Ids(await _engine.Queries.NewestAsync(null, 10, Mail, default)).ShouldBe([post, mail]);
        (await _engine.Queries.FindAsync(other, Mail, default)).ShouldBeNull();
        (await _engine.Queries.FindAsync(await SubmitAsync("ann", "postX1"), Mail, default))
            .ShouldBeNull("an underscore is itself, no wildcard");
        Mail.Allows("mail-out").ShouldBeTrue();
        Mail.Allows("mai").ShouldBeFalse();
    }

    [Fact]
    public async Task A_tenants_counts_of_ended_tasks_are_counters_of_its_own()
    {
        foreach (var owner in new[] { "ann", "ann", "ben", null })
        {
            var id = await SubmitAsync(owner);
            await _engine.SendAsync(new StartTask(id, Micros.Now(TimeProvider.System), 1, "w", 1000));
            await _engine.SendAsync(new CompleteTask(id, Micros.Now(TimeProvider.System), 1, "w", "1"));
        }

        await using (var context = _database.CreateContext())
            await context.Outcomes.ExecuteDeleteAsync(); // nobody reads rows of finished tasks, which may be millions

        foreach (var (access, count) in new[] { (Ann, 2), (Ben, 1), (Access.All, 4), (Mail, 0) })
        {
            (await _engine.Queries.QueueStatsAsync("q", access, default)).Completed.ShouldBe(count);
            (await _engine.Queries.TierStatsAsync(null, access, default)).Sum(t => t.Completed).ShouldBe(count);
            (await _engine.Queries.TierStatsAsync(null, access, default)).Sum(t => t.Ended).ShouldBe(count);
        }
    }

    [Fact]
    public async Task A_command_of_another_tenant_finds_nothing_and_changes_nothing()
    {
        var id = await SubmitAsync("ann");
        var before = await _database.GetAsync(id);

        (await _engine.Tasks.CancelAsync(id, Ben)).ShouldBe(CommandResult.NotFound);
        (await _engine.Tasks.RetryAsync(id, Ben)).ShouldBe(CommandResult.NotFound);
        (await _engine.Tasks.ApplyAsync([_engine.Tasks.Delete(id)], Ben))[0].CommandResult.ShouldBe(CommandResult.NotFound);
        (await _database.GetAsync(id)).Describe().ShouldBe(before.Describe());

        (await _engine.Tasks.CancelAsync(id, Ann)).ShouldBe(CommandResult.Applied);
    }

    [Fact]
    public async Task A_report_for_a_queue_outside_the_keys_scope_finds_nothing()
    {
        var id = await SubmitAsync("ann");
        await _engine.Claims.ClaimAsync(new ClaimRequest([new("q", 0)], 1, "w", null), TimeSpan.Zero, default);

        (await _engine.Tasks.ApplyAsync([_engine.Tasks.Complete(id, 1, null, "1")],
            Mail))[0].CommandResult.ShouldBe(CommandResult.NotFound);
        (await _database.GetAsync(id)).State.ShouldBe(TaskStates.Running);

        (await _engine.Tasks.ApplyAsync([_engine.Tasks.Complete(id, 1, null, "1")],
            new Access { Others = QueuePatterns.Of(["q"]) }))[0].CommandResult.ShouldBe(CommandResult.Applied);
    }

    [Fact]
    public async Task Dedupe_keys_are_scoped_to_a_tenant()
    {
        var mine = New("ann") with { DedupeKey = "k", Payload = "1" };
        await _engine.Tasks.SubmitAsync(mine);

        var other = await _engine.Tasks.SubmitAsync(New("ben") with { DedupeKey = "k", Payload = "2",
            Overwrite = OverwriteFields.Payload });
        other.Result.ShouldBe(SubmitStatus.Accepted);
        (await _engine.Tasks.SubmitAsync(New(null) with { DedupeKey = "k" })).Result.ShouldBe(SubmitStatus.Accepted);
        (await _database.GetAsync(mine.Id)).Payload.ShouldBe("1");

        (await _engine.Tasks.SubmitAsync(New("ann") with { DedupeKey = "k", Payload = "3", Overwrite = OverwriteFields.Payload }))
            .Result.ShouldBe(SubmitStatus.Overwritten);
        (await _database.GetAsync(mine.Id)).Payload.ShouldBe("3");
    }

    [Fact]
    public async Task Ordering_keys_are_scoped_to_a_tenant()
    {
        await _engine.Tasks.SubmitAsync(New("ann") with { OrderingKey = "t" });
        await _engine.Tasks.SubmitAsync(New("ann") with { OrderingKey = "t" });
        await _engine.Tasks.SubmitAsync(New("ben") with { OrderingKey = "t" });

        var claimed = await _engine.Claims.ClaimAsync(new ClaimRequest([new("q", 0)], 10, "w", null), TimeSpan.Zero, default);

        claimed.Select(t => t.Owner).ShouldBe(["ann", "ben"], ignoreOrder: true);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_id_of_another_tenant_or_a_deleted_task_rejects_the_whole_request(bool isDeleted)
    {
        var hers = New("ann");
        await _engine.Tasks.SubmitAsync(hers);
        if (isDeleted)
            await _engine.Tasks.ApplyAsync([_engine.Tasks.Delete(hers.Id)], Ann);
        var owner = isDeleted ? "ann" : "ben";
        var (again, beside) = (New(owner) with { Id = hers.Id }, New(owner));

        (await Should.ThrowAsync<TaskIdConflictException>(() => _engine.Tasks.SubmitAsync(again))).Id.ShouldBe(hers.Id);
        (await Should.ThrowAsync<TaskIdConflictException>(() => _engine.Tasks.SubmitManyAsync([beside, again]))).Id.ShouldBe(hers.Id);
        (await Should.ThrowAsync<TaskIdConflictException>(() => _engine.Tasks.SubmitManyAsync([beside, again with { DedupeKey = "k" }])))
            .Id.ShouldBe(hers.Id);

        (await _engine.Queries.FindAsync(beside.Id, Access.All, default)).ShouldBeNull();
        (await _engine.Tasks.SubmitManyAsync([beside])).ShouldHaveSingleItem().Result.ShouldBe(SubmitStatus.Accepted);
    }

    [Fact]
    public async Task Only_the_credential_that_claimed_reports()
    {
        var id = await SubmitAsync("ann");
        Access one = Worker("one"), two = Worker("two");
        await _engine.Claims.ClaimAsync(new ClaimRequest([new("q", 0)], 1, "w", null) { Credential = "one" }, TimeSpan.Zero, default);

        (await _engine.Tasks.ApplyAsync([_engine.Tasks.Renew(id, 1, null)], two))[0].CommandResult.ShouldBe(CommandResult.StaleAttempt);
        (await _engine.Tasks.ApplyAsync([_engine.Tasks.Complete(id, 1, null, "1")],
            two))[0].CommandResult.ShouldBe(CommandResult.StaleAttempt);
        (await _database.GetAsync(id)).State.ShouldBe(TaskStates.Running);

        (await _engine.Tasks.ApplyAsync([_engine.Tasks.Complete(id, 1, null, "1")], one))[0].CommandResult.ShouldBe(CommandResult.Applied);
    }

    private static Access Worker(string name) => new() { Credential = name, Others = QueuePatterns.All };

    [Fact]
    public async Task A_schedule_is_visible_only_to_its_tenant()
    {
        await _engine.Queues.CreateAsync("q", Delivery.Pull, QueueSettings.Default);
        var schedules = _engine.Services.GetService(typeof(ScheduleService)).ShouldBeOfType<ScheduleService>();
        await schedules.CreateAsync("q", "s", new ScheduleSettings { Cron = "0 8 * * *", TimeZone = "UTC", Owner = "ann" });

        (await schedules.FindAsync("q", "s", Ben)).ShouldBeNull();
        (await schedules.ListAsync("q", Ben)).ShouldBeEmpty();
        (await schedules.PauseAsync("q", "s", true, Ben)).Change.ShouldBe(ScheduleChange.NotFound);
        (await schedules.RunNowAsync("q", "s", Ben)).ShouldBeNull();
        (await schedules.DeleteAsync("q", "s", Ben)).ShouldBeFalse();
        (await schedules.FindAsync("q", "s", Ann)).ShouldNotBeNull().Settings.Paused.ShouldBeFalse();
    }

    [Fact]
    public async Task Tasks_of_a_schedule_belong_to_its_creator()
    {
        await _engine.Queues.CreateAsync("q", Delivery.Pull, QueueSettings.Default);
        var schedules = _engine.Services.GetService(typeof(ScheduleService)).ShouldBeOfType<ScheduleService>();
        await schedules.CreateAsync("q", "s", new ScheduleSettings { Cron = "0 8 * * *", TimeZone = "UTC", Owner = "ann" });

        var made = await schedules.RunNowAsync("q", "s", Ann);

        (await _database.GetAsync(made.ShouldNotBeNull().Id)).Owner.ShouldBe("ann");
    }

    [Fact]
    public async Task Progress_stays_until_the_worker_reports_more()
    {
        var id = await SubmitAsync("ann");
        await _engine.Claims.ClaimAsync(new ClaimRequest([new("q", 0)], 1, "w", null), TimeSpan.Zero, default);

        foreach (var (said, shown) in new[] { ("""{"percent":10}""", """{"percent":10}"""), (null, """{"percent":10}"""), ("0.5", "0.5") })
        {
            await _engine.Tasks.ApplyAsync([_engine.Tasks.Renew(id, 1, null, progress: said)]);
            (await _database.GetAsync(id)).Progress.ShouldBe(shown);
        }
    }

    private static TaskSubmission New(string? owner, string queue = "q") =>
        new(TaskId.New(TimeProvider.System), queue, "{}") { Owner = owner };

    private static IEnumerable<Guid> Ids(IEnumerable<TaskState> tasks) => tasks.Select(t => t.CorrelationId);

    private async Task<Guid> SubmitAsync(string? owner, string queue = "q") => (await _engine.Tasks.SubmitAsync(New(owner, queue))).Id;
}

/// <summary>Access on PostgreSQL.</summary>
public sealed class PostgresAccessTests() : AccessTests(DatabaseProvider.Postgres);

/// <summary>Access on SQLite.</summary>
public sealed class SqliteAccessTests() : AccessTests(DatabaseProvider.Sqlite);
