using System.Collections.Concurrent;
using System.Diagnostics;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Contracts;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Limits of single handlers, and checkpoints, in the worker runtime of every transport.</summary>
public sealed class HandlerLimitTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly CancellationTokenSource _stopping = new();

    public void Dispose() => _stopping.Dispose();

    [Fact]
    public async Task A_handler_runs_no_more_tasks_than_it_has_slots_and_those_of_others_pass_it()
    {
        var (now, most, goOn) = (0, 0, new SemaphoreSlim(0));
        var transport = new Transport();
        var run = Run(transport, new WorkerRuntimeOptions(4, 10)
        {
            Handlers = new Dictionary<string, HandlerLimits> { ["one"] = new(1, null, null) },
        }, async attempt =>
        {
            if (attempt.Item.Name == "one")
            {
                most = Math.Max(most, Interlocked.Increment(ref now));
                await goOn.WaitAsync();
                Interlocked.Decrement(ref now);
            }

            return TaskOutcome.Completed();
        });
        var inFlight = await transport.Fetching.WaitAsync(Patience);
        var ones = Enumerable.Range(0, 6).Select(_ => inFlight.Take(Item("one"))).ToList();
        var others = Enumerable.Range(0, 3).Select(_ => inFlight.Take(Item("other"))).ToList();

        await Task.WhenAll(others.Select(a => a.Kept)).WaitAsync(Patience); // with all slots of the worker but one
        goOn.Release(2);
        await Eventually.UntilAsync(() => Task.FromResult(ones.Count(a => a.Outcome is { IsCompleted: true }) == 2), Patience, "two ended");
        await Eventually.UntilAsync(() => Task.FromResult(ones.Count(a => a.BeganAt is not null) == 3), Patience, "the third runs");
        most.ShouldBe(1);

        await _stopping.CancelAsync();

        await Eventually.UntilAsync(
            () => Task.FromResult(ones.Count(a => a.BeganAt is null && a.Outcome?.Delay == TimeSpan.Zero) == 3), Patience,
            "those that wait for a slot are released at once");
        goOn.Release(1);
        await run.WaitAsync(Patience);
        (most, transport.Reported.Count).ShouldBe((1, 9));
    }

    [Fact]
    public async Task Time_limit_and_retry_policy_of_a_handler_are_its_own()
    {
        var transport = new Transport();
        var run = Run(transport, new WorkerRuntimeOptions(4, 0)
        {
            Handlers = new Dictionary<string, HandlerLimits>
            {
                ["slow"] = new(null, TimeSpan.FromMilliseconds(50), null),
                ["sick"] = new(null, null, new RetryPolicy { Intervals = [5, 60] }),
            },
        }, async attempt =>
        {
            if (attempt.Item.Name == "slow")
                await Task.Delay(Timeout.Infinite, attempt.Cancelled);
            throw new InvalidOperationException("boom");
        });
        var inFlight = await transport.Fetching.WaitAsync(Patience);
        var slow = inFlight.Take(Item("slow"));
        var sick = ((List<int>)[1, 2, 7]).Select(n => inFlight.Take(Item("sick") with { Attempt = n })).ToList();
        await Task.WhenAll(sick.Append(slow).Select(a => a.Kept)).WaitAsync(Patience);

        (slow.Outcome!.Error, slow.Outcome.Retryable, slow.Outcome.RetryAfter).ShouldBe(
            ("the attempt ran longer than 00:00:00.0500000", true, null));
        sick.Select(a => a.Outcome!.RetryAfter?.TotalSeconds).ShouldBe([5, 60, 60]);
        await _stopping.CancelAsync();
        await run.WaitAsync(Patience);
    }

    [Fact]
    public async Task A_saved_checkpoint_is_sent_until_the_server_has_it_with_the_progress_beside_it()
    {
        var transport = new Transport { FailingHeartbeats = 2 };
        var context = new TaskCompletionSource<TaskContext>(TaskCreationOptions.RunContinuationsAsynchronously);
        var goOn = new TaskCompletionSource();
        var run = Run(transport, new WorkerRuntimeOptions(1, 0), async attempt =>
        {
            context.SetResult(new TaskContext(attempt, "{}", null, TimeProvider.System));
            await goOn.Task;
            return TaskOutcome.Completed();
        });
        (await transport.Fetching.WaitAsync(Patience)).Take(Item("a") with { Progress = """{"$checkpoint":{"name":"Ann","age":1}}""" });
        var task = await context.Task.WaitAsync(Patience);

        task.Checkpoint(PersonJson.Default.Person).ShouldBe(new Person("Ann", 1)); // of the attempt before
        await task.ReportProgressAsync("""{ "percent": 10 }""").WaitAsync(Patience);
        await task.SaveCheckpointAsync(new Person("Ann", 2), PersonJson.Default.Person).WaitAsync(Patience);

        transport.FailingHeartbeats.ShouldBe(0);
        transport.Arrived.ShouldBe(["""{"$checkpoint":{"name":"Ann","age":2},"percent": 10 }"""]);
        await task.ReportProgressAsync("20").WaitAsync(Patience);
        transport.Arrived.Last().ShouldBe("""{"$checkpoint":{"name":"Ann","age":2},"$progress":20}""");
        task.Checkpoint(PersonJson.Default.Person).ShouldBe(new Person("Ann", 2));
        Should.Throw<ArgumentOutOfRangeException>(() =>
        {
            _ = task.SaveCheckpointAsync(new Person(new string('x', 5000)), PersonJson.Default.Person);
        }).Message.ShouldContain("4096");
        goOn.SetResult();
        await _stopping.CancelAsync();
        await run.WaitAsync(Patience);
        task.SaveCheckpointAsync(new Person("late"), PersonJson.Default.Person).IsFaulted.ShouldBeTrue();
    }

    [Fact]
    public async Task Progress_does_not_replace_a_checkpoint_that_only_another_worker_can_read()
    {
        var (mine, others) = (Codec("k1"), Codec("k2"));
        var transport = new Transport();
        var context = new TaskCompletionSource<TaskContext>(TaskCreationOptions.RunContinuationsAsynchronously);
        var goOn = new TaskCompletionSource();
        var run = Run(transport, new WorkerRuntimeOptions(1, 0), async attempt =>
        {
            context.SetResult(new TaskContext(attempt, "{}", mine, TimeProvider.System));
            await goOn.Task;
            return TaskOutcome.Completed();
        });
        var earlier = others.Encode(TaskText.Progress, """{"$checkpoint":{"name":"Ann","age":1}}""");
        var held = (await transport.Fetching.WaitAsync(Patience)).Take(Item("a") with { Progress = earlier });
        var task = await context.Task.WaitAsync(Patience);

        await task.ReportProgressAsync("10").WaitAsync(Patience);
        held.LastProgress.ShouldBeNull();
        Should.Throw<TaskPayloadException>(() => task.Checkpoint(PersonJson.Default.Person)).Message.ShouldContain("'k2'");

        await task.SaveCheckpointAsync(new Person("Ann", 2), PersonJson.Default.Person).WaitAsync(Patience);
        await task.ReportProgressAsync("20").WaitAsync(Patience);

        transport.Arrived.Select(p => mine.Decode(TaskText.Progress, p)).ShouldBe(
        [
            """{"$checkpoint":{"name":"Ann","age":2},"$progress":10}""", """{"$checkpoint":{"name":"Ann","age":2},"$progress":20}""",
        ]);
        goOn.SetResult();
        await _stopping.CancelAsync();
        await run.WaitAsync(Patience);
    }

    [Fact]
    public async Task A_checkpoint_of_an_attempt_that_has_lost_its_lease_is_not_taken_for_saved()
    {
        var transport = new Transport { LosesLeases = true };
        var saving = new TaskCompletionSource<Task>(TaskCreationOptions.RunContinuationsAsynchronously);
        var run = Run(transport, new WorkerRuntimeOptions(1, 0), async attempt =>
        {
            var task = new TaskContext(attempt, "{}", null, TimeProvider.System);
            saving.SetResult(task.SaveCheckpointAsync(new Person("Ann"), PersonJson.Default.Person));
            await Task.Delay(Timeout.Infinite, attempt.Cancelled);
            return TaskOutcome.Completed();
        });
        (await transport.Fetching.WaitAsync(Patience)).Take(Item("a"));
        var save = await saving.Task.WaitAsync(Patience);

        await Should.ThrowAsync<OperationCanceledException>(() => save.WaitAsync(Patience));
        save.IsCanceled.ShouldBeTrue();
        await _stopping.CancelAsync();
        await run.WaitAsync(Patience);
        transport.Reported.ShouldBeEmpty();
    }

    private static AesGcmPayloadCodec Codec(string key) =>
        new(key, new Dictionary<string, byte[]> { [key] = RandomNumberGenerator.GetBytes(32) });

    private static WorkItem Item(string name) => new(Guid.NewGuid(), 1, "q", 0, name, "{}", TimeSpan.FromMinutes(1));

    private Task Run(Transport transport, WorkerRuntimeOptions options, Func<Attempt, Task<TaskOutcome>> handler) =>
        new WorkerRuntime(options, transport, new Handler(handler), TimeProvider.System, NullLogger.Instance).RunAsync(_stopping.Token);

    private sealed class Handler(Func<Attempt, Task<TaskOutcome>> run) : IAttemptHandler
    {
        public Activity? StartActivity(WorkItem item) => null;

        public Task<TaskOutcome> RunAsync(Attempt attempt) => run(attempt);
    }

    private sealed class Transport : IWorkerTransport
    {
        private readonly TaskCompletionSource<InFlightAttempts> _fetching = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<InFlightAttempts> Fetching => _fetching.Task;

        public ConcurrentQueue<Attempt> Reported { get; } = new();

        public ConcurrentQueue<string> Arrived { get; } = new();

        public int FailingHeartbeats { get; set; }

        public bool LosesLeases { get; init; }

        public bool ReturnsUnbegun => false;

        public async Task FetchAsync(InFlightAttempts attempts, CancellationToken cancellationToken)
        {
            _fetching.SetResult(attempts);
            await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        public bool HasLease(Attempt attempt) => true;

        public async Task HeartbeatAsync(IReadOnlyList<Heartbeat> heartbeats, CancellationToken cancellationToken)
        {
            if (LosesLeases)
            {
                var inFlight = await Fetching;
                foreach (var heartbeat in heartbeats)
                    inFlight.Lose(heartbeat.Attempt);
                return;
            }

            if (FailingHeartbeats > 0 && heartbeats.Any(h => h.Progress is not null))
            {
                FailingHeartbeats--;
                throw new TaskQueueException("away", 503);
            }

            foreach (var heartbeat in heartbeats.Where(h => h.Progress is not null))
                Arrived.Enqueue(heartbeat.Progress!);
        }

        public Task<IReadOnlyList<Attempt>> ReportAsync(IReadOnlyList<Attempt> attempts, CancellationToken cancellationToken)
        {
            foreach (var attempt in attempts)
                Reported.Enqueue(attempt);
            return Task.FromResult<IReadOnlyList<Attempt>>([]);
        }

        public Task CloseAsync() => Task.CompletedTask;
    }
}
