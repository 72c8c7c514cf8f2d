using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>The worker runtime on every transport, beyond the conformance suite.</summary>
public sealed class WorkerRuntimeTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(1);

    private readonly CancellationTokenSource _stopping = new(), _drainOver = new();

    public void Dispose()
    {
        _stopping.Dispose();
        _drainOver.Dispose();
    }

    [Fact]
    public async Task Unstarted_tasks_are_released_without_a_report_if_the_transport_accepts_them()
    {
        var goOn = new TaskCompletionSource();
        var transport = new Transport(returnsUnbegun: true);
        var run = Run(transport, new WorkerRuntimeOptions(1, 2), async _ =>
        {
            await goOn.Task;
            return TaskOutcome.CompletedUnchecked("1");
        });
        var attempts = (await transport.Fetching.WaitAsync(Patience)).Take(3, Lease);
        await Eventually.UntilAsync(() => Task.FromResult(attempts.Count(a => a.BeganAt is not null) == 1), Patience, "one runs");

        await _stopping.CancelAsync();

        var waiting = attempts.Where(a => a.BeganAt is null).ToList();
        await Task.WhenAll(waiting.Select(a => a.Kept)).WaitAsync(Patience);
        waiting.ShouldAllBe(a => a.IsReturned && a.Outcome == null);
        goOn.SetResult();
        await run.WaitAsync(Patience);
        transport.Reported.ShouldBe([attempts.Single(a => a.BeganAt is not null)]);
    }

    [Fact]
    public async Task A_task_still_running_after_the_drain_may_finish_with_its_own_outcome()
    {
        var transport = new Transport();
        var run = Run(transport, new WorkerRuntimeOptions(3, 0) { AbortTimeout = Patience }, async attempt =>
        {
            if (attempt.Item.Tier == 0)
                await Task.Delay(Timeout.Infinite, attempt.Cancelled).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            else
                await Task.Delay(Timeout.Infinite, attempt.Cancelled);
            return TaskOutcome.CompletedUnchecked("\"broken off\"");
        });
        var inFlight = await transport.Fetching.WaitAsync(Patience);
        var (ends, throws) = (inFlight.Take(Item(0)), inFlight.Take(Item(1)));
        await Eventually.UntilAsync(() => Task.FromResult(inFlight.Running == 2), Patience, "both run");

        await _stopping.CancelAsync();
        await _drainOver.CancelAsync();
        await run.WaitAsync(Patience);

        ends.Outcome!.Result.ShouldBe("\"broken off\"");
        (throws.Outcome!.Delay, throws.Outcome.Error).ShouldBe((TimeSpan.Zero, null));
    }

    [Fact]
    public async Task A_handler_that_ignores_its_token_does_not_delay_the_drain()
    {
        var never = new TaskCompletionSource<TaskOutcome>();
        var transport = new Transport();
        var run = Run(transport, new WorkerRuntimeOptions(1, 0), _ => never.Task);
        var attempt = (await transport.Fetching.WaitAsync(Patience)).Take(Item(0));
        await Eventually.UntilAsync(() => Task.FromResult(attempt.BeganAt is not null), Patience, "it runs");

        await _stopping.CancelAsync();
        await _drainOver.CancelAsync();
        await run.WaitAsync(Patience);

        attempt.Outcome!.Delay.ShouldBe(TimeSpan.Zero);
        attempt.Cancelled.IsCancellationRequested.ShouldBeTrue();
        never.SetResult(TaskOutcome.Completed());
    }

    [Fact]
    public async Task Only_outcomes_that_were_not_accepted_are_reported_again()
    {
        var transport = new Transport { Refuses = 1 };
        var run = Run(transport, new WorkerRuntimeOptions(8, 0) { LongestBackoff = TimeSpan.FromMilliseconds(1) }, _ =>
            Task.FromResult(TaskOutcome.Completed()));
        var attempts = (await transport.Fetching.WaitAsync(Patience)).Take(8, Lease);
        await Task.WhenAll(attempts.Select(a => a.Kept)).WaitAsync(Patience);

        await _stopping.CancelAsync();
        await run.WaitAsync(Patience);

        transport.Reported.Order(Comparer<Attempt>.Create((a, b) => a.Item.Id.CompareTo(b.Item.Id)))
            .ShouldBe(attempts.OrderBy(a => a.Item.Id));
    }

    [Fact]
    public async Task Unreported_outcomes_allow_new_tasks_up_to_the_backlog_limit()
    {
        var transport = new Transport { Holds = new TaskCompletionSource() };
        var run = Run(transport, new WorkerRuntimeOptions(2, 0) { ReportBacklog = 3 }, _ => Task.FromResult(TaskOutcome.Completed()));
        var inFlight = await transport.Fetching.WaitAsync(Patience);
        for (var i = 0; i < 5; i++)
        {
            await inFlight.RoomForOneAsync(CancellationToken.None).WaitAsync(Patience);
            inFlight.Take(Item(0));
        }

        await Eventually.UntilAsync(() => Task.FromResult(inFlight.Running == 5), Patience, "all have been begun");
        inFlight.Room.ShouldBe(0);
        transport.Holds.SetResult();
        await Eventually.UntilAsync(() => Task.FromResult(inFlight.Room == 2), Patience, "all have been reported");
        await _stopping.CancelAsync();
        await run.WaitAsync(Patience);
    }

    [Fact]
    public async Task A_newer_attempt_replaces_the_older_one_and_a_repeated_attempt_is_taken_once()
    {
        var goOn = new TaskCompletionSource();
        var transport = new Transport();
        var run = Run(transport, new WorkerRuntimeOptions(4, 0), async _ =>
        {
            await goOn.Task;
            return TaskOutcome.Completed();
        });
        var inFlight = await transport.Fetching.WaitAsync(Patience);
        var item = Item(0);
        var first = inFlight.Take(item);
        inFlight.Take(item).ShouldBeSameAs(first);
        await Eventually.UntilAsync(() => Task.FromResult(first.BeganAt is not null), Patience, "the older one has begun");
        var second = inFlight.Take(item with { Attempt = 2 });

        first.IsLost.ShouldBeTrue();
        inFlight.Find(item.Id).ShouldBeSameAs(second);
        inFlight.Room.ShouldBe(2, "the handler of the older one has its slot until it returns");
        goOn.SetResult();
        await _stopping.CancelAsync();
        await run.WaitAsync(Patience);
        transport.Reported.ShouldBe([second]);
        inFlight.Room.ShouldBe(4);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_checkpoint_that_is_refused_fails_alone_and_every_lease_is_renewed(bool oneByOne)
    {
        var goOn = new TaskCompletionSource();
        var transport = new Transport { Invalid = "[[1]]", OneByOne = oneByOne };
        var run = Run(transport, new WorkerRuntimeOptions(3, 0), async _ =>
        {
            await goOn.Task;
            return TaskOutcome.Completed();
        });
        var attempts = (await transport.Fetching.WaitAsync(Patience)).Take(3, Lease);

        Task[] saves = [attempts[0].SaveProgress("1"), attempts[1].SaveProgress("[[1]]"), attempts[2].SaveProgress("2")];

        (await Should.ThrowAsync<TaskQueueException>(() => saves[1].WaitAsync(Patience))).Status.ShouldBe(400);
        await Task.WhenAll(saves[0], saves[2]).WaitAsync(Patience);
        transport.Heard.ShouldContain(h => h.Attempt == attempts[1] && h.Progress == null, "its lease is renewed without it");
        goOn.SetResult();
        await _stopping.CancelAsync();
        await run.WaitAsync(Patience);
    }

    [Fact]
    public async Task What_the_server_has_accepted_of_a_heartbeat_is_not_sent_again()
    {
        var time = new FakeTimeProvider();
        var inFlight = new InFlightAttempts(new WorkerRuntimeOptions(4, 0), returnsUnbegun: false);
        var attempts = inFlight.Take(4, Lease);
        var transport = new Transport { Invalid = "[[1]]", OneByOne = true };
        Task[] saves = [.. attempts.Select((attempt, i) => attempt.SaveProgress(i is 1 or 2 ? "[[1]]" : $"{i}"))];

        var beating = new Heartbeats(inFlight, transport, time).RunAsync(_stopping.Token);

        await Task.WhenAll(saves[0], saves[3]).WaitAsync(Patience);
        foreach (var save in saves[1..3])
            (await Should.ThrowAsync<TaskQueueException>(() => save.WaitAsync(Patience))).Status.ShouldBe(400);
        await _stopping.CancelAsync();
        await beating.WaitAsync(Patience);
        transport.Heard.Where(h => h.Progress != null).Select(h => h.Attempt).ShouldBe([attempts[0], attempts[3]], ignoreOrder: true);
        transport.Heard.Where(h => h.Progress == null).Select(h => h.Attempt).ShouldBe([attempts[1], attempts[2]], ignoreOrder: true);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Leases_are_renewed_while_many_checkpoints_are_refused_slowly(bool oneByOne)
    {
        var time = new FakeTimeProvider();
        var inFlight = new InFlightAttempts(new WorkerRuntimeOptions(32, 0), returnsUnbegun: false);
        var attempts = inFlight.Take(32, TimeSpan.FromSeconds(30));
        var renewed = attempts.ToDictionary(a => a, _ => time.GetTimestamp());
        var longest = TimeSpan.Zero;
        var transport = new Transport
        {
            Invalid = "[[1]]",
            OneByOne = oneByOne,
            OnRenewed = attempt => renewed[attempt] = time.GetTimestamp(),
            OnRefused = () =>
            {
                time.Advance(TimeSpan.FromSeconds(1));
                var oldest = time.GetElapsedTime(renewed.Values.Min());
                longest = oldest > longest ? oldest : longest;
            },
        };
        var saves = attempts.ConvertAll(a => a.SaveProgress("[[1]]"));

        var beating = new Heartbeats(inFlight, transport, time).RunAsync(_stopping.Token);

        foreach (var save in saves)
            (await Should.ThrowAsync<TaskQueueException>(() => save.WaitAsync(Patience))).Status.ShouldBe(400);
        longest.ShouldBeLessThan(TimeSpan.FromSeconds(20)); // of 30
        await _stopping.CancelAsync();
        await beating.WaitAsync(Patience);
    }

    private static WorkItem Item(int tier) => new(Guid.NewGuid(), 1, "q", tier, "a", "{}", Lease);

    private Task Run(Transport transport, WorkerRuntimeOptions options, Func<Attempt, Task<TaskOutcome>> handler) =>
        new WorkerRuntime(options, transport, new Handler(handler), TimeProvider.System, NullLogger.Instance)
            .RunAsync(_stopping.Token, _drainOver.Token);

    private sealed class Handler(Func<Attempt, Task<TaskOutcome>> run) : IAttemptHandler
    {
        public Activity? StartActivity(WorkItem item) => null;

        public Task<TaskOutcome> RunAsync(Attempt attempt) => run(attempt);
    }

    private sealed class Transport(bool returnsUnbegun = false) : IWorkerTransport
    {
        private readonly TaskCompletionSource<InFlightAttempts> _fetching = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<InFlightAttempts> Fetching => _fetching.Task;

        public ConcurrentQueue<Attempt> Reported { get; } = new();

        /// <summary>How many of each first report are to be reported again.</summary>
        public int Refuses { get; set; }

        public TaskCompletionSource? Holds { get; init; }

        public bool ReturnsUnbegun => returnsUnbegun;

        public async Task FetchAsync(InFlightAttempts attempts, CancellationToken cancellationToken)
        {
            _fetching.SetResult(attempts);
            await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        public bool HasLease(Attempt attempt) => true;

        /// <summary>Progress for which a whole request is refused.</summary>
        public string? Invalid { get; init; }

        /// <summary>Whether it is refused alone, unless the whole request is of it.</summary>
        public bool OneByOne { get; init; }

        public Action? OnRefused { get; init; }

        public Action<Attempt>? OnRenewed { get; init; }

        public ConcurrentQueue<Heartbeat> Heard { get; } = new();

        public Task HeartbeatAsync(IReadOnlyList<Heartbeat> heartbeats, CancellationToken cancellationToken)
        {
            List<Heartbeat> refused = [.. heartbeats.Where(h => Invalid is not null && h.Progress == Invalid)];
            if (refused.Count > 0)
                OnRefused?.Invoke();
            if (refused.Count > 0 && (!OneByOne || refused.Count == heartbeats.Count))
                throw new TaskQueueException("progress is invalid", 400, "invalid_request");
            foreach (var heartbeat in refused)
                heartbeat.Refusal = new TaskQueueException("progress is invalid", 400, "invalid_request");
            foreach (var heartbeat in heartbeats.Except(refused))
            {
                Heard.Enqueue(heartbeat);
                OnRenewed?.Invoke(heartbeat.Attempt);
            }

            return Task.CompletedTask;
        }

        public async Task<IReadOnlyList<Attempt>> ReportAsync(IReadOnlyList<Attempt> attempts, CancellationToken cancellationToken)
        {
            if (Holds is { } holds)
                await holds.Task.WaitAsync(cancellationToken);
            var refused = attempts.Take(Refuses).ToList();
            Refuses -= refused.Count;
            foreach (var attempt in attempts.Except(refused))
                Reported.Enqueue(attempt);
            return refused;
        }

        public Task CloseAsync() => Task.CompletedTask;
    }
}

/// <summary>Shorter forms.</summary>
internal static class InFlightForTests
{
    public static List<Attempt> Take(this InFlightAttempts attempts, int count, TimeSpan lease) =>
        [.. Enumerable.Range(0, count).Select(_ => attempts.Take(new WorkItem(Guid.NewGuid(), 1, "q", 0, "a", "{}", lease)))];
}
