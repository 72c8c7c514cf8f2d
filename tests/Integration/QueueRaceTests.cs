using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>
/// Queue rules under concurrency: on PostgreSQL four engines represent four processes, on SQLite, which
/// has one process, one engine.
/// </summary>
public abstract partial class QueueRaceTests(DatabaseProvider provider, bool rowVersions = true) : IAsyncLifetime
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private readonly List<TestEngine> _engines = [];
    private TestDatabase _database = null!;
    private int _next;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(provider, rowVersions: rowVersions);
        for (var i = 0; i < (provider == DatabaseProvider.Sqlite ? 1 : 4); i++)
            _engines.Add(new TestEngine(_database.Address, partitions: 2));
    }

    public async Task DisposeAsync()
    {
        foreach (var engine in _engines)
            await engine.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Theory]
    [InlineData(OverwriteFields.None)]
    [InlineData(OverwriteFields.Payload | OverwriteFields.ScheduledAt)]
    public async Task One_of_many_concurrent_duplicates_is_accepted_and_one_more_after_it_ends(OverwriteFields overwrite)
    {
        for (var round = 0; round < 10; round++)
        {
            var answers = await ManyAsync(12, i =>
                Any().Tasks.SubmitAsync(New($"\"{i}\"") with { DedupeKey = "k", Overwrite = overwrite }));

            var accepted = answers.Where(a => a.Result == SubmitStatus.Accepted).ShouldHaveSingleItem();
            answers.ShouldAllBe(a => a.Id == accepted.Id);
            answers.Count(a => a.Result == (overwrite == OverwriteFields.None ? SubmitStatus.Skipped : SubmitStatus.Overwritten))
                .ShouldBe(11);
            var task = (await ClaimAsync(10)).ShouldHaveSingleItem();
            if (overwrite != OverwriteFields.None)
                (await ManyAsync(4, _ => Any().Tasks.SubmitAsync(New() with { DedupeKey = "k", Overwrite = overwrite })))
                    .ShouldAllBe(a => a.Result == SubmitStatus.Running);
            (await CompleteAsync(task)).ShouldBe(CommandResult.Applied);
        }
    }

    [Fact]
    public async Task A_dedupe_key_never_has_two_holders_while_holders_end_and_none_is_lost()
    {
        var completed = 0;
        var answers = ManyAsync(150,
            i => Any().Tasks.SubmitAsync(New() with
            {
                DedupeKey = "k", Overwrite = i % 2 == 0 ? OverwriteFields.None : OverwriteFields.Payload,
            }), atOnce: 6);
        while (!answers.IsCompleted)
        {
            foreach (var task in await ClaimAsync(10))
                completed += await CompleteAsync(task) == CommandResult.Applied ? 1 : 0;
        }

        foreach (var task in await ClaimAsync(10))
            completed += await CompleteAsync(task) == CommandResult.Applied ? 1 : 0;

        (await answers).Count(a => a.Result == SubmitStatus.Accepted).ShouldBe(completed);
        (await CountAsync(_ => true)).ShouldBe(completed);
    }

    [Fact]
    public async Task Batches_with_overlapping_keys_neither_deadlock_nor_accept_twice()
    {
        for (var round = 0; round < 15; round++)
        {
            var answers = await ManyAsync(8, i =>
            {
                TaskSubmission[] tasks = [New() with { DedupeKey = $"a{round}" },
                    New() with { DedupeKey = $"b{round}", Overwrite = OverwriteFields.Payload }];
                return Any().Tasks.SubmitManyAsync(i % 2 == 0 ? tasks : [.. tasks.Reverse()]);
            });

            answers.SelectMany(a => a).Count(a => a.Result == SubmitStatus.Accepted).ShouldBe(2);
            answers.SelectMany(a => a).Select(a => a.Id).Distinct().Count().ShouldBe(2);
        }
    }

    [Fact]
    public async Task A_tick_taken_by_several_processes_fires_once()
    {
        await _engines[0].Queues.CreateAsync("q", Delivery.Pull, new QueueSettings());
        var (schedule, at) = (await AddScheduleAsync(), TestTasks.T0);
        for (var tick = 0; tick < 10; tick++, at = at.AddMinutes(1))
        {
            var taken = new ScheduleTick(schedule, at, at.AddMinutes(1));
            var answers = await ManyAsync(8, _ => Any().Store.InsertAsync([new NewTask(TestTasks.New())], taken));

            answers.Count(a => a is not null).ShouldBe(1);
            answers.SelectMany(a => a ?? []).ShouldHaveSingleItem().Result.ShouldBe(SubmitStatus.Accepted);
        }

        (await CountAsync(_ => true)).ShouldBe(10);
    }

    [Fact]
    public async Task One_of_many_concurrent_deletions_deletes_the_queue()
    {
        await _engines[0].Queues.CreateAsync("q", Delivery.Pull, new QueueSettings());
        (await ManyAsync(8, _ => _engines[0].Queues.DeleteAsync("q"))).Count(deleted => deleted).ShouldBe(1);
    }

    private async Task<int> AddScheduleAsync()
    {
        await using var context = _database.CreateContext();
        var schedule = new ScheduleRecord
        {
            Queue = "q",
            Name = "s",
            Settings = new ScheduleSettings { Cron = "* * * * *", TimeZone = "Etc/UTC" },
            NextAt = TestTasks.T0,
        };
        context.Add(schedule);
        await context.SaveChangesAsync();
        return schedule.Id;
    }

    /// <summary>One of the processes, in rotation.</summary>
    private TestEngine Any() => _engines[(int)((uint)Interlocked.Increment(ref _next) % _engines.Count)];

    private static DateTime Now => TimeProvider.System.GetUtcNow().UtcDateTime;

    private static TaskSubmission New(string payload = "{}") => new(TaskId.New(TimeProvider.System), "q", payload);

    private async Task<IReadOnlyList<TaskState>> ClaimAsync(int max)
    {
        var engine = Any();
        engine.Store.NoteWaiting(new("q", 0), null); // as processes tell each other; otherwise it finds late commits after seconds
        return await engine.Claims.ClaimAsync(new ClaimRequest([new("q", 0)], max, "w", null), TimeSpan.Zero, CancellationToken.None);
    }

    private async Task<CommandResult> CompleteAsync(TaskState task)
    {
        var engine = Any();
        return await engine.SendAsync(engine.Tasks.Complete(task.CorrelationId, task.Attempt, "w", null));
    }

    private async Task<CommandResult> FailAsync(TaskState task, bool retryable)
    {
        var engine = Any();
        return await engine.SendAsync(engine.Tasks.Fail(task.CorrelationId, task.Attempt, "w", "broken", retryable));
    }

    private async Task<int> CountAsync(System.Linq.Expressions.Expression<Func<TaskState, bool>> which)
    {
        await using var context = _database.CreateContext();
        return await context.Tasks.CountAsync(which);
    }

    /// <summary>Does something many times, this many at once.</summary>
    private static async Task<List<T>> ManyAsync<T>(int times, Func<int, Task<T>> act, int atOnce = 12)
    {
        var results = new T[times];
        await Parallel.ForEachAsync(Enumerable.Range(0, times), new ParallelOptions { MaxDegreeOfParallelism = atOnce }, async (i, _) =>
            results[i] = await act(i));
        return [.. results];
    }
}

/// <summary>Races on PostgreSQL.</summary>
public sealed class PostgresQueueRaceTests() : QueueRaceTests(DatabaseProvider.Postgres);

/// <summary>Races on SQLite.</summary>
public sealed class SqliteQueueRaceTests() : QueueRaceTests(DatabaseProvider.Sqlite);
