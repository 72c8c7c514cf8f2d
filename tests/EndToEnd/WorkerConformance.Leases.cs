using System.Text.Json;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

public abstract partial class WorkerConformance
{
    [Fact]
    public async Task A_task_keeps_a_lease_of_its_own_that_is_shorter_than_usual()
    {
        await DeclareAsync();
        var runs = 0;
        var goOn = new TaskCompletionSource();
        await using var worker = await StartAsync(o => o.AddProcessor("a", async (_, _) =>
        {
            Interlocked.Increment(ref runs);
            await goOn.Task;
            return TaskOutcome.CompletedJson("true");
        }));
        var lease = TimeSpan.FromSeconds(6);
        var id = await Http.SubmitAsync(new { action = "a", queue = Queue, lease_seconds = lease.TotalSeconds });
        await Http.TaskAsync(id, "running");
        // The first end may be that of the claim. By the usual lease, heartbeats would come every five seconds.
        await Http.OutlivesLeaseAsync(id, lease, ends =>
            ends.Skip(1).Zip(ends.Skip(2), (one, next) => next - one).Any(pause => pause < TimeSpan.FromSeconds(4)));
        goOn.SetResult();

        (await Http.TaskAsync(id, "completed")).Whole("attempt").ShouldBe(1);
        runs.ShouldBe(1);
    }

    [Fact]
    public async Task Progress_that_is_reported_at_the_start_is_seen_soon()
    {
        const int count = 20;
        await DeclareAsync();
        var goOn = new TaskCompletionSource();
        await using var worker = await StartAsync(o =>
        {
            (o.Lease, o.Concurrency) = (TimeSpan.FromMinutes(2), count);
            o.AddProcessor("a", async (task, _) =>
            {
                await task.ReportProgressAsync("""{"done":0.5}""");
                await goOn.Task;
                return TaskOutcome.CompletedJson("true");
            });
        });
        var ids = new List<Guid>();
        for (var i = 0; i < count; i++)
            ids.Add(await SubmitAsync("a"));

        await Eventually.UntilAsync(
            async () => (await Task.WhenAll(ids.Select(Http.TaskAsync)))
                .All(t => t.GetProperty("progress").ValueKind == JsonValueKind.Object),
            Patience, "the progress of all shows, long before the next regular heartbeat");
        goOn.SetResult();
        foreach (var id in ids)
            (await Http.TaskAsync(id, "completed")).Whole("attempt").ShouldBe(1);
    }
}
