using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Engine.Events;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A deployment under load is invisible to users of the server.</summary>
[Collection(ProcessesCollection.Name)]
public sealed partial class RollingRestartTests
{
    private const string Pulled = "rolled";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<Guid, int> _runs = new();
    private readonly ConcurrentDictionary<Guid, byte> _heard = new();

    [Fact]
    public async Task A_rolling_restart_of_every_role_under_load_loses_nothing_and_no_request_fails()
    {
        await using var cluster = await RollingCluster.StartAsync();
        await using var subscriber = await CrashSubscriber.StartAsync(cluster.RabbitMq);
        using var pushes = new CrashProducer(() => cluster.Proxy.Address);
        using var pulls = new CrashProducer(() => cluster.Proxy.Address, Pulled);
        using var stop = new CancellationTokenSource();
        var listening = ListenAsync(cluster.Proxy.Address, stop.Token);
        var first = await StartWorkerAsync(cluster.Proxy.Address);
        using var loadEnds = new CancellationTokenSource();
        var load = Task.WhenAll(PostAsync(pushes, 4, loadEnds.Token), PostAsync(pulls, 2, loadEnds.Token));

        var exits = await cluster.ReplaceAllAsync();
        await using var second = await StartWorkerAsync(cluster.Proxy.Address);
        await first.DisposeAsync();
        await loadEnds.CancelAsync();
        await load;

        exits.ShouldAllBe(code => code == 0);
        cluster.Proxy.Failures.ShouldBeEmpty();
        (pushes.Refusals, pulls.Refusals).ShouldBe((0, 0));
        await Eventually.UntilAsync(() => AllCompletedAsync(cluster.Database), Patience, "every task is completed");
        List<Guid> accepted = [.. pushes.Accepted, .. pulls.Accepted];
        await Eventually.UntilAsync(
            () => Task.FromResult(accepted.TrueForAll(id => _heard.ContainsKey(id) && subscriber.Seen(id).Contains("completed"))), Patience,
            "subscribers hear of every task");
        await ExpectOnceAsync(cluster, accepted);
        _runs.Keys.ToHashSet().SetEquals(pulls.Accepted).ShouldBeTrue();
        _runs.Values.ShouldAllBe(runs => runs == 1);
        await stop.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(listening);
    }

    /// <summary>This many tasks, ten times a second.</summary>
    private static async Task PostAsync(CrashProducer producer, int count, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        while (!cancellationToken.IsCancellationRequested && await timer.WaitForNextTickAsync(CancellationToken.None))
            await producer.PostAsync(count);
    }

    private Task<WorkerRun> StartWorkerAsync(Uri server) =>
        WorkerRun.StartAsync(server, o =>
        {
            o.Queues.Add(Pulled);
            o.Concurrency = 8;
            o.AddProcessor("uppercase", async (task, cancellationToken) =>
            {
                _runs.AddOrUpdate(task.Id, 1, (_, runs) => runs + 1);
                await Task.Delay(TimeSpan.FromMilliseconds(20), cancellationToken);
                return TaskOutcome.CompletedJson("true");
            });
        });

    private async Task ListenAsync(Uri server, CancellationToken cancellationToken)
    {
        await using var services = new ServiceCollection().AddTaskQueueClient(o => o.BaseAddress = server).BuildServiceProvider();
        await foreach (var e in services.GetRequiredService<TaskQueueClient>()
            .EventsAsync(new LiveEventQuery { After = EventCursor.ToText([]) }, cancellationToken))
        {
            if (e.Type == "completed")
                _heard.TryAdd(e.TaskId, 0);
        }
    }

    private static async Task<bool> AllCompletedAsync(TestDatabase database)
    {
        await using var db = database.CreateContext();
        return !await db.Tasks.AnyAsync(t => t.State != TaskStates.Completed);
    }

    /// <summary>Each task ended once, no attempt was wasted, and no worker ran a task that another had finished.</summary>
    private static async Task ExpectOnceAsync(RollingCluster cluster, List<Guid> accepted)
    {
        await using var db = cluster.Database.CreateContext();
        (await db.Tasks.CountAsync()).ShouldBe(accepted.Count);
        (await db.Tasks.CountAsync(t => t.AttemptsLeft != t.MaxAttempts - 1)).ShouldBe(0);
        var ends = (await db.EventsAsync()).Where(e => e.Type == TaskEventType.Completed).ToList();
        ends.Count.ShouldBe(accepted.Count);
        ends.Select(e => e.TaskId).ToHashSet().SetEquals(accepted).ShouldBeTrue();
        var workers = ends.ToDictionary(e => e.TaskId.ToString(), e => e.Worker);
        cluster.Lines.Select(line => Refused().Match(line))
            .Where(m => m.Success && workers[m.Groups["task"].Value] != m.Groups["worker"].Value).Select(m => m.Value).ShouldBeEmpty();
    }

    /// <summary>A start that is reported after another worker's outcome ran the task again.</summary>
    [GeneratedRegex(@"StartTask of task (?<task>\S+) attempt \d+ by (?<worker>\S+) was refused", RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 1000)]
    private static partial Regex Refused();
}
