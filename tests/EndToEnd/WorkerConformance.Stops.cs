using System.Diagnostics;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

public abstract partial class WorkerConformance
{
    [Fact]
    public async Task A_stopping_worker_finishes_running_tasks_and_releases_the_rest_without_counting_an_attempt()
    {
        await DeclareAsync();
        var goOn = new TaskCompletionSource();
        var begun = 0;
        var first = await StartAsync(o =>
        {
            o.Concurrency = 1;
            o.AddProcessor("a", async (_, _) =>
            {
                Interlocked.Increment(ref begun);
                await goOn.Task;
                return TaskOutcome.CompletedJson("\"first\"");
            });
        });
        var ids = new List<Guid>();
        for (var i = 0; i < 4; i++)
            ids.Add(await SubmitAsync("a", attempts: 1));
        await Eventually.UntilAsync(() => Task.FromResult(begun == 1), Patience, "the first task runs");
        await Eventually.UntilAsync(
            async () => await OutAsync(ids) == (ExpectedOut == 2 ? 1 : 4), Patience, "the worker holds what it can");

        var stopping = first.StopAsync();
        await using var second = await StartAsync(o => o.AddProcessor("a", (_, _) => Task.FromResult(TaskOutcome.CompletedJson("\"second\""))));
        await Eventually.UntilAsync(
            async () => await CompletedAsync(ids) == 3, Patience, "others have the rest while the first task still runs");
        stopping.IsCompleted.ShouldBeFalse();

        goOn.SetResult();
        await stopping.WaitAsync(Patience);
        await first.DisposeAsync();
        var results = new List<string?>();
        foreach (var id in ids)
            results.Add((await Http.TaskAsync(id, "completed")).Text("result"));
        results.Count(r => r == "first").ShouldBe(1);
        begun.ShouldBe(1);
    }

    [Fact]
    public async Task A_task_that_outlasts_its_lease_during_the_drain_keeps_it()
    {
        await DeclareAsync();
        var (started, goOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        var lease = TimeSpan.FromSeconds(6);
        var first = await StartAsync(o =>
        {
            o.Lease = lease;
            o.AddProcessor("a", async (_, _) =>
            {
                started.SetResult();
                await goOn.Task;
                return TaskOutcome.CompletedJson("\"first\"");
            });
        });
        var id = await SubmitAsync("a", attempts: 1);
        await started.Task.WaitAsync(Patience);
        await Http.TaskAsync(id, "running");

        var stopping = first.StopAsync();
        await Http.OutlivesLeaseAsync(id, lease);
        goOn.SetResult();
        await stopping.WaitAsync(Patience);
        await first.DisposeAsync();

        (await Http.TaskAsync(id, "completed")).Text("result").ShouldBe("first");
        (await TimelineAsync(id)).ShouldBe(["submitted", "started", "completed"]);
    }

    [Fact]
    public async Task Tasks_unfinished_after_the_drain_are_released_without_counting_an_attempt()
    {
        await DeclareAsync();
        var started = new TaskCompletionSource();
        var first = await StartAsync(o =>
        {
            o.DrainTimeout = TimeSpan.FromMilliseconds(300);
            o.AddProcessor("a", async (_, cancellationToken) =>
            {
                started.SetResult();
                await Task.Delay(Timeout.Infinite, cancellationToken);
                return TaskOutcome.CompletedJson("\"first\"");
            });
        });
        var id = await SubmitAsync("a", attempts: 1);
        await started.Task.WaitAsync(Patience);
        await first.DisposeAsync();

        await using var second = await StartAsync(o => o.AddProcessor("a", (_, _) => Task.FromResult(TaskOutcome.CompletedJson("\"second\""))));
        (await Http.TaskAsync(id, "completed")).Text("result").ShouldBe("second");
        (await TimelineAsync(id)).ShouldContain("snoozed");
    }

    [Fact]
    public async Task A_processor_runs_in_an_activity_that_fails_with_it()
    {
        await DeclareAsync();
        var activities = new System.Collections.Concurrent.ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = s => s.Name == ClientTelemetry.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activities.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        await using var worker = await StartAsync(o => o.AddProcessor("a", (_, _) => Task.FromResult(TaskOutcome.Failed("x"))));
        var id = await SubmitAsync("a");
        await Http.TaskAsync(id, "failed");

        var activity = activities.Single(a => a.GetTagItem("messaging.message.id") as string == id.ToString());
        (activity.OperationName, activity.Kind, activity.Status)
            .ShouldBe(($"process {Queue}", ActivityKind.Consumer, ActivityStatusCode.Error));
    }

    [Fact]
    public async Task Running_and_prefetched_tasks_stay_within_concurrency_and_prefetch()
    {
        await DeclareAsync();
        var goOn = new TaskCompletionSource();
        var running = 0;
        var most = 0;
        var ids = new List<Guid>();
        for (var i = 0; i < 15; i++)
            ids.Add(await SubmitAsync("a"));
        await using var worker = await StartAsync(o => o.AddProcessor("a", async (_, _) =>
        {
            InterlockedMax(ref most, Interlocked.Increment(ref running));
            await goOn.Task;
            Interlocked.Decrement(ref running);
            return TaskOutcome.Completed();
        }));
        await Eventually.UntilAsync(() => Task.FromResult(running == 2), Patience, "two tasks run");
        await Eventually.UntilAsync(async () => await OutAsync(ids) == ExpectedOut, Patience, "the prefetch is full");
        goOn.SetResult();
        foreach (var id in ids)
            (await Http.TaskAsync(id, "completed")).Whole("attempt").ShouldBe(1);
        most.ShouldBe(2);
    }
}
