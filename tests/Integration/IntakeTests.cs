using System.Diagnostics;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>Commands that wait for the database are bounded by number, memory and time.</summary>
public sealed class IntakeTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Tasks_over_the_waiting_limit_are_refused_at_once_and_the_others_are_accepted()
    {
        await using var bed = await Bed.StartAsync(new() { ["TaskQueue:MaxWaiting"] = "1000" });
        var waiting = Enumerable.Range(0, 1000).Select(_ => bed.Engine.Tasks.SubmitAsync(Submission(""))).ToList();

        await Should.ThrowAsync<OverloadedException>(bed.Engine.Tasks.SubmitAsync(Submission("")));
        waiting.ShouldAllBe(t => !t.IsFaulted);

        bed.Store.Open();
        (await Task.WhenAll(waiting)).ShouldAllBe(a => a.Result == SubmitStatus.Accepted);
        (await bed.Engine.Tasks.SubmitAsync(Submission(""))).Result.ShouldBe(SubmitStatus.Accepted);
    }

    [Fact]
    public async Task Commands_over_the_waiting_memory_are_refused_at_once_but_a_single_one_may_exceed_it()
    {
        await using var bed = await Bed.StartAsync(new() { ["TaskQueue:MaxWaitingBytes"] = "1048576" });
        var large = bed.Engine.Tasks.SubmitAsync(Submission(new string('x', 900_000)));

        await Should.ThrowAsync<OverloadedException>(bed.Engine.Tasks.SubmitAsync(Submission("")));

        bed.Store.Open();
        (await large).Result.ShouldBe(SubmitStatus.Accepted);
    }

    [Fact]
    public async Task A_command_that_waits_too_long_for_its_group_is_refused_and_not_applied()
    {
        await using var bed = await Bed.StartAsync(new() { ["TaskQueue:MaxWaitSeconds"] = "5" });
        var first = bed.Engine.Tasks.SubmitAsync(Submission(""));
        await Eventually.UntilAsync(() => Task.FromResult(bed.Store.Waiting == 1), Deadline, "a group is under way");
        var late = Submission("");
        var second = bed.Engine.Tasks.SubmitAsync(late);
        var began = Stopwatch.GetTimestamp();
        await Eventually.UntilAsync(
            () => Task.FromResult(Stopwatch.GetElapsedTime(began) > TimeSpan.FromSeconds(6)), Deadline, "its time is over");

        bed.Store.Open();
        (await first).Result.ShouldBe(SubmitStatus.Accepted);
        await Should.ThrowAsync<OverloadedException>(second);
        (await bed.Engine.Tasks.SubmitAsync(late)).Result.ShouldBe(SubmitStatus.Accepted);
    }

    private static TaskSubmission Submission(string text) => new(TaskId.New(TimeProvider.System), "q", $"\"{text}\"");

    /// <summary>An engine whose groups wait at a closed gate.</summary>
    private sealed class Bed(TestDatabase database, TestEngine engine, WatchedStore store) : IAsyncDisposable
    {
        public TestEngine Engine => engine;

        public WatchedStore Store => store;

        public static async Task<Bed> StartAsync(Dictionary<string, string?> settings)
        {
            var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
            WatchedStore store = null!;
            var engine = new TestEngine(database.Address, partitions: 1, inner => store = new WatchedStore(inner), settings: settings);
            _ = engine.Store;
            store.Close();
            return new Bed(database, engine, store);
        }

        public async ValueTask DisposeAsync()
        {
            store.Open();
            await engine.DisposeAsync();
            await database.DisposeAsync();
        }
    }
}
