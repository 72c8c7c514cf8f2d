using Microsoft.Extensions.Time.Testing;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>Queue rules that were broken before, one by one, on each database.</summary>
public abstract class QueueRulesTests(DatabaseProvider provider) : IAsyncLifetime
{
    private readonly SetTime _time = new(TestTasks.T0);
    private TestDatabase _database = null!;
    private TestEngine _engine = null!;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(provider);
        _engine = new TestEngine(_database.Address, time: _time);
    }

    public async Task DisposeAsync()
    {
        await _engine.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task A_single_task_is_returned_in_its_current_state() =>
        (await _engine.Tasks.SubmitAsync(New())).Task!.State.ShouldBe(TaskStates.Pending);

    [Fact]
    public async Task A_target_listed_twice_is_claimed_from_once()
    {
        await _engine.Tasks.SubmitManyAsync([New(), New()]);

        (await ClaimAsync(10, new("q", 0), new("q", 0))).Count.ShouldBe(2);
    }

    [Fact]
    public async Task A_limited_target_does_not_block_the_next_target()
    {
        await _engine.Queues.CreateAsync("q", Delivery.Pull, new QueueSettings { MaxRunning = 1 });
        await _engine.Tasks.SubmitManyAsync(
            [New() with { Priority = Priority.Critical }, New() with { Priority = Priority.High }, New(), New("other"), New("other")]);

        (await ClaimAsync(3, new("q", 0), new("other", 0))).Select(t => t.Queue).ShouldBe(["q", "other", "other"]);
    }

    [Fact]
    public async Task A_task_with_its_own_retry_policy_keeps_its_queues_max_attempts_unless_it_lists_intervals()
    {
        await _engine.Queues.CreateAsync("q", Delivery.Pull, new QueueSettings { MaxAttempts = 9 });

        var answers = await _engine.Tasks.SubmitManyAsync([New() with { Retry = new RetryPolicy { FirstSeconds = 1 } },
            New() with { Retry = new RetryPolicy { Intervals = [1] } }]);

        answers.Select(a => a.Task!.MaxAttempts).ShouldBe([9, 2]);
    }

    [Fact]
    public async Task The_first_of_two_listed_tasks_with_the_same_id_is_accepted_whatever_their_keys()
    {
        var first = New() with { DedupeKey = "b" };

        var answers = await _engine.Tasks.SubmitManyAsync([first, first with { DedupeKey = "a" }, New() with { DedupeKey = "a" }]);

        answers.Select(a => a.Result).ShouldBe([SubmitStatus.Accepted, SubmitStatus.IdTaken, SubmitStatus.Accepted]);
        (await _database.GetAsync(first.Id)).DedupeKey.ShouldBe("b");
    }

    [Fact]
    public async Task Expired_dead_letters_do_not_count_towards_the_maximum()
    {
        var settings = new QueueSettings { DeadLetters = new DeadLetterSettings(MaxSize: 2) };
        await _engine.Queues.CreateAsync("q", Delivery.Pull, settings);
        var old = await DieAsync();
        await _engine.Queues.UpdateAsync("q", settings with { DeadLetters = new DeadLetterSettings(MaxSize: 2, RetentionMs: 1000) });
        var brief = await DieAsync();
        _time.Now = _time.Now.AddSeconds(2);

        var late = await DieAsync();

        (await _engine.Queries.ListAsync("q", TaskList.Dead, null, 10, Access.All, CancellationToken.None))
            .Tasks.Select(t => t.CorrelationId).ShouldBe([old, late]);
        (await _database.GetAsync(brief)).Dead.ShouldBeTrue(); // counts as expired when it is removed
    }

    [Fact]
    public async Task Tasks_that_fail_after_a_redrive_started_stay_dead()
    {
        var old = await DieAsync();
        _time.Now = _time.Now.AddSeconds(1);
        var young = await DieAsync();
        _time.Now = _time.Now.AddMilliseconds(-1); // as of another host, or of a worker that fails faster than dead letters are counted

        (await _engine.Tasks.RedriveAsync("q", CancellationToken.None)).ShouldBe((1, 0));

        (await _database.GetAsync(old)).State.ShouldBe(TaskStates.Pending);
        (await _database.GetAsync(young)).Dead.ShouldBeTrue();
    }

    [Fact]
    public async Task An_expired_lease_backs_off_by_the_tasks_retry_policy_even_if_it_equals_the_default()
    {
        var chosen = (await _engine.Tasks.SubmitAsync(New() with { Retry = new RetryPolicy() })).Id;
        var plain = (await _engine.Tasks.SubmitAsync(New())).Id;
        await ClaimAsync(2, new QueueTier("q", 0));
        var (due, expiry) = ((await _database.GetAsync(plain)).DueAt, _time.Now.AddMinutes(1));

        foreach (var id in new[] { chosen, plain })
            (await _engine.SendAsync(new ExpireLease(id, expiry))).ShouldBe(CommandResult.Applied);

        (await _database.GetAsync(chosen)).DueAt.ShouldBe(expiry.AddSeconds(2));
        (await _database.GetAsync(plain)).DueAt.ShouldBe(due); // its position in the queue
    }

    /// <summary>The clock stands still, so no timer wakes it.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_promotion_or_released_capacity_wakes_a_worker_waiting_on_another_tier(bool orderingKey)
    {
        WatchedStore store = null!;
        await using var engine = new TestEngine(_database.Address, decorate:
            inner => store = new WatchedStore(inner), time: new FakeTimeProvider(TimeProvider.System.GetUtcNow()));
        if (!orderingKey)
            await _engine.Queues.CreateAsync("q", Delivery.Pull, new QueueSettings { MaxRunning = 1 });
        var tasks = Enumerable.Range(0, 2).Select(tier => New() with { Tier = tier, OrderingKey = orderingKey ? "t" : null }).ToList();
        await engine.Tasks.SubmitManyAsync(tasks);
        var first = (await engine.Claims.ClaimAsync(new ClaimRequest([new("q", 0)], 1, "w", null), TimeSpan.Zero, CancellationToken.None))
            .Single();
        var waiting = engine.Claims.ClaimAsync(new ClaimRequest([new("q", 1)], 1, "w", null), TimeSpan.FromHours(1),
            CancellationToken.None);
        await Eventually.UntilAsync(() => Task.FromResult(store.IdleClaims > 0), TimeSpan.FromSeconds(20), "the worker waits");

        await engine.SendAsync(engine.Tasks.Complete(first.CorrelationId, 1, "w", null));

        (await waiting.WaitAsync(TimeSpan.FromSeconds(20))).Single().CorrelationId.ShouldBe(tasks[1].Id);
    }

    [Fact]
    public async Task Concurrent_failures_leave_at_most_the_maximum_of_dead_letters()
    {
        await _engine.Queues.CreateAsync("q", Delivery.Pull, new QueueSettings { DeadLetters = new DeadLetterSettings(MaxSize: 3) });
        for (var round = 0; round < 5; round++)
        {
            await _engine.Tasks.SubmitManyAsync([.. Enumerable.Range(0, 12).Select(_ => New())]);
            var tasks = await ClaimAsync(12, new QueueTier("q", 0));

            await Task.WhenAll(tasks.Select(t =>
                _engine.SendAsync(_engine.Tasks.Fail(t.CorrelationId, 1, "w", "broken", retryable: false))));

            (await _engine.Queues.StatsAsync("q", Access.All, default)).Dead.ShouldBe(3);
        }
    }

    [Fact]
    public async Task A_claim_with_an_older_clock_than_the_last_finds_an_empty_bucket()
    {
        await _engine.Queues.CreateAsync("q", Delivery.Pull, new QueueSettings { Rate = new RateLimit(2, 10) });
        await _engine.Tasks.SubmitManyAsync([New(), New(), New()]);
        _time.Now = _time.Now.AddSeconds(5);
        (await ClaimAsync(3, new QueueTier("q", 0))).Count.ShouldBe(2);

        _time.Now = _time.Now.AddSeconds(-1);
        (await ClaimAsync(3, new QueueTier("q", 0))).ShouldBeEmpty();

        _time.Now = _time.Now.AddSeconds(2);
        (await ClaimAsync(3, new QueueTier("q", 0))).Count.ShouldBe(1);
    }

    private static TaskSubmission New(string queue = "q") => new(TaskId.New(TimeProvider.System), queue, "{}");

    private async Task<Guid> DieAsync()
    {
        _time.Now = _time.Now.AddMilliseconds(1);
        var id = (await _engine.Tasks.SubmitAsync(New())).Id;
        await ClaimAsync(1, new QueueTier("q", 0));
        (await _engine.SendAsync(_engine.Tasks.Fail(id, 1, "w", "broken", retryable: false))).ShouldBe(CommandResult.Applied);
        return id;
    }

    private Task<IReadOnlyList<TaskState>> ClaimAsync(int max, params QueueTier[] targets) =>
        _engine.Claims.ClaimAsync(new ClaimRequest(targets, max, "w", null), TimeSpan.Zero, CancellationToken.None);
}

/// <summary>Rules on PostgreSQL.</summary>
public sealed class PostgresQueueRulesTests() : QueueRulesTests(DatabaseProvider.Postgres);

/// <summary>Rules on SQLite.</summary>
public sealed class SqliteQueueRulesTests() : QueueRulesTests(DatabaseProvider.Sqlite);
