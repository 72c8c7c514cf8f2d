using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>Queue changes that two processes make or encounter at once. No bus announces them to the other process.</summary>
public abstract class QueueVerbsTests(DatabaseProvider provider) : IAsyncLifetime
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);
    private static readonly ScheduleSettings Yearly = new() { Cron = "0 0 1 1 *", TimeZone = "UTC" };

    private TestDatabase _database = null!;
    private TestEngine _one = null!;
    private TestEngine _other = null!;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(provider);
        _one = new TestEngine(_database.Address);
        _other = new TestEngine(_database.Address);
    }

    public async Task DisposeAsync()
    {
        await _one.DisposeAsync();
        await _other.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task A_deletion_includes_tasks_accepted_meanwhile_by_uninformed_processes()
    {
        await _one.Queues.CreateAsync("q", Delivery.Pull, new QueueSettings());
        var before = (await _one.Tasks.SubmitAsync(New())).Id;
        var deletion = await BeginDeletionAsync("q");

        var meanwhile = (await _other.Tasks.SubmitAsync(New())).Id;

        (await deletion).ShouldBeTrue();
        foreach (var id in new[] { before, meanwhile })
            (await _database.GetAsync(id)).State.ShouldBe(TaskStates.Cancelled);
        (await _one.Tasks.SubmitAsync(New())).Result.ShouldBe(SubmitStatus.Accepted); // the name is free
        (await ClaimAsync(_one, "q")).Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_deletion_leaves_the_tasks_of_a_new_queue_of_the_same_name_alone()
    {
        await _one.Queues.CreateAsync("q", Delivery.Pull, new QueueSettings());
        var deletion = await BeginDeletionAsync("q");
        (await _other.Queues.CreateAsync("q", Delivery.Pull, new QueueSettings())).ShouldNotBeNull();
        var done = (await _other.Tasks.SubmitAsync(New())).Id;
        await ClaimAsync(_other, "q");
        await _other.SendAsync(_other.Tasks.Complete(done, 1, "w", null));
        var waits = (await _other.Tasks.SubmitAsync(New() with { OrderingKey = "t" })).Id;

        (await deletion).ShouldBeTrue();

        (await _database.GetAsync(waits)).State.ShouldBe(TaskStates.Pending);
        var stats = await _other.Queues.StatsAsync("q", Access.All, default);
        (stats.Waiting, stats.Completed).ShouldBe((1, 1));
    }

    [Fact]
    public async Task No_schedule_is_created_for_a_queue_that_another_process_deleted()
    {
        await _one.Queues.CreateAsync("q", Delivery.Pull, new QueueSettings());
        await Schedules(_one).CreateAsync("q", "old", Yearly);
        var deletion = await BeginDeletionAsync("q", known: _other);

        (await Schedules(_other).CreateAsync("q", "s", Yearly)).Change.ShouldBe(ScheduleChange.QueueNotFound);

        await deletion;
        (await Schedules(_other).ListAsync("q", Access.All)).ShouldBeEmpty();
    }

    [Fact]
    public async Task No_schedule_survives_its_queue_under_concurrent_creation_and_deletion()
    {
        await Task.WhenAll(Enumerable.Range(0, 10).Select(async i =>
        {
            await _one.Queues.CreateAsync($"q{i}", Delivery.Pull, new QueueSettings());
            await Task.WhenAll(_one.Queues.DeleteAsync($"q{i}"), Schedules(_other).CreateAsync($"q{i}", "s", Yearly));
        }));

        await using var db = _database.CreateContext();
        (await db.Schedules.CountAsync()).ShouldBe(0);
    }

    [Fact]
    public async Task Concurrent_queue_creations_do_not_exceed_the_quota()
    {
        var made = await AtOnceAsync(10, async (engine, i) =>
        {
            try
            {
                return await engine.Queues.CreateAsync($"q{i}", Delivery.Pull, new QueueSettings(), quota: new(3, q => q.Name[0] == 'q'));
            }
            catch (QuotaException full)
            {
                full.Max.ShouldBe(3);
                return null;
            }
        });

        made.Count(q => q is not null).ShouldBe(3);
        await using var db = _database.CreateContext();
        (await db.Queues.CountAsync(q => q.Name != BuiltInQueues.Tasks)).ShouldBe(3);
    }

    [Fact]
    public async Task Concurrent_schedule_creations_do_not_exceed_the_quotas()
    {
        foreach (var queue in new[] { "q0", "q1", "q2" })
            await _one.Queues.CreateAsync(queue, Delivery.Pull, new QueueSettings());

        var made = await AtOnceAsync(30, (engine, i) =>
            Schedules(engine).CreateAsync($"q{i % 3}", $"s{i}", Yearly, new ScheduleQuota(2, 5)));

        made.Count(m => m.Change == ScheduleChange.Done).ShouldBe(5);
        await using var db = _database.CreateContext();
        (await db.Schedules.GroupBy(s => s.Queue).Select(g => g.Count()).ToListAsync()).ShouldBe([2, 2, 1], ignoreOrder: true);
    }

    [Fact]
    public async Task Tasks_claimed_before_a_queue_was_declared_count_towards_its_limits()
    {
        await _other.Services.GetRequiredService<QueueCatalog>().AllAsync();
        var creation = _one.Queues.CreateAsync("q", Delivery.Pull, new QueueSettings { MaxRunning = 1 });
        await Eventually.UntilAsync(() => IsThereAsync("q"), Deadline, "the queue is there");
        await _other.Tasks.SubmitManyAsync([New(), New()]);
        var claimed = await ClaimAsync(_other, "q"); // by a process that does not know the queue

        await creation;

        foreach (var task in claimed)
            (await _database.GetAsync(task.CorrelationId)).Limited.ShouldBeTrue();
        (await ClaimAsync(_one, "q")).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_process_learns_of_unannounced_changes_when_its_cache_expires()
    {
        var time = new SetTime(TestTasks.T0);
        await using var late = new TestEngine(_database.Address, time: time);
        await _one.Queues.CreateAsync("q", Delivery.Pull, new QueueSettings());
        await late.Tasks.SubmitManyAsync([New(), New()]);
        (await ClaimAsync(late, "q", max: 1)).Count.ShouldBe(1);

        await _one.Queues.UpdateAsync("q", new QueueSettings { Paused = true });

        time.Now += QueueCatalog.MaxAge - TimeSpan.FromTicks(1);
        (await late.Services.GetRequiredService<QueueCatalog>().FindAsync("q"))!.Version.ShouldBe(1);
        time.Now += TimeSpan.FromTicks(1);
        (await ClaimAsync(late, "q")).ShouldBeEmpty();
    }

    /// <summary>A deletion whose queue is gone already, and which is not over yet.</summary>
    private async Task<Task<bool>> BeginDeletionAsync(string name, TestEngine? known = null)
    {
        if (known is not null)
            await known.Services.GetRequiredService<QueueCatalog>().AllAsync();
        var deletion = _one.Queues.DeleteAsync(name);
        await Eventually.UntilAsync(async () => !await IsThereAsync(name), Deadline, "the queue is gone");
        return deletion;
    }

    private async Task<bool> IsThereAsync(string name)
    {
        await using var db = _database.CreateContext();
        return await db.Queues.AnyAsync(q => q.Name == name);
    }

    /// <summary>Does something many times at once, in either process.</summary>
    private Task<T[]> AtOnceAsync<T>(int times, Func<TestEngine, int, Task<T>> act) =>
        Task.WhenAll(Enumerable.Range(0, times).Select(i => Task.Run(() => act(i % 2 == 0 ? _one : _other, i))));

    private static ScheduleService Schedules(TestEngine engine) => engine.Services.GetRequiredService<ScheduleService>();

    private static TaskSubmission New() => new(TaskId.New(TimeProvider.System), "q", "{}");

    private static Task<IReadOnlyList<TaskState>> ClaimAsync(TestEngine engine, string queue, int max = 10) =>
        engine.Claims.ClaimAsync(new ClaimRequest([new QueueTier(queue, 0)], max, "w", null), TimeSpan.Zero, CancellationToken.None);
}

/// <summary>Two processes on PostgreSQL.</summary>
public sealed class PostgresQueueVerbsTests() : QueueVerbsTests(DatabaseProvider.Postgres);

/// <summary>Two processes on SQLite.</summary>
public sealed class SqliteQueueVerbsTests() : QueueVerbsTests(DatabaseProvider.Sqlite);
