using System.Diagnostics;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A process that stands still in the middle of its commits, as on a stalled machine: it keeps connections and locks.</summary>
[Collection(CrashCollection.Name)]
public sealed class CrashFreezeTests(CrashFixture fixture)
{
    private CrashCluster Cluster => fixture.Cluster;

    [Fact]
    public async Task A_frozen_process_holds_up_the_others_for_two_seconds_at_most_and_loses_nothing()
    {
        await using var frozen = await TaskQueueProcess.StartAsync("api", Cluster.Database.ConnectionString, Cluster.RabbitMq);
        using var before = new CrashProducer(() => frozen.Http.BaseAddress!);
        using var after = new CrashProducer(() => Cluster.Address("api"));
        var posting = before.PostAsync(3000);
        await before.ReachAsync(500);
        frozen.Freeze();
        try
        {
            // Each commit locks one of 64 partitions of the outbox: a thousand tasks meet those that the frozen process holds.
            var start = Stopwatch.GetTimestamp();
            await after.PostAsync(1000);
            Stopwatch.GetElapsedTime(start).ShouldBeLessThan(TimeSpan.FromSeconds(20), "2 s for the locks, the rest for a slow machine");
        }
        finally
        {
            frozen.Thaw();
        }

        await posting;
        await Cluster.AllCompletedOnceAsync(before);
        await Cluster.AllAnnouncedAsync(after, fixture.Subscriber);
        (await frozen.TerminateAsync()).ShouldBe(0);
    }
}
