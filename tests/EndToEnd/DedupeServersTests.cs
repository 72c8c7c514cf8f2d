using System.Collections.Concurrent;
using System.Text.Json;
using Shouldly;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// Three processes accept tasks with the same keys at the same time. A SQLite file has one process.
/// </summary>
public sealed class DedupeServersTests
{
    private const string Queue = "keyed";
    private const int Keys = 4;
    private const int Posts = 60;

    private static readonly string[] Payload = ["payload"];

    /// <summary>Three that accept tasks: the role of one, or two roles in either order.</summary>
    private static readonly string[] Processes = ["api", "api,scheduler", "scheduler,api"];

    [Fact]
    public async Task At_most_one_task_per_dedupe_key_waits_or_runs_across_processes()
    {
        await using var cluster = await CrashCluster.StartAsync(roles: Processes);
        var queued = new ConcurrentBag<Guid>();
        var skipped = new ConcurrentBag<Guid>();
        var posting = Task.WhenAll(Enumerable.Range(0, 2 * Processes.Length)
            .Select(i => PostAsync(cluster.Process(Processes[i % Processes.Length]).Http, new Random(i), queued, skipped)));

        await CompleteAllAsync(cluster.Process("api").Http, posting);

        var history = await CrashHistory.ReadAsync(cluster.Database, Queue);
        history.Faults().ShouldBeEmpty();
        history.Ids.ShouldBe(queued, ignoreOrder: true);
        history.Ids.Count.ShouldBeGreaterThan(Keys, "no key was ever free again: nothing was tried");
        skipped.ShouldNotBeEmpty();
        skipped.Except(queued).ShouldBeEmpty(); // each duplicate names a task that was accepted
    }

    /// <summary>One task per request, or one per key, in its own order.</summary>
    private static async Task PostAsync(HttpClient http, Random random, ConcurrentBag<Guid> queued, ConcurrentBag<Guid> skipped)
    {
        for (var i = 0; i < Posts; i++)
        {
            var keys = Enumerable.Range(0, Keys).ToArray();
            random.Shuffle(keys);
            var tasks = keys.Take(i % 2 == 0 ? 1 : Keys)
                .Select(k => new { action = "a", queue = Queue, dedupe_key = $"k{k}", overwrite = i % 3 == 0 ? Payload : null });
            var reply = await http.PostAsync("/tasks/bulk", new { tasks });
            reply.Status.ShouldBe(202, reply.Text);
            foreach (var (id, result) in reply.Json.GetProperty("ids").EnumerateArray()
                .Zip(reply.Json.GetProperty("results").EnumerateArray()))
                (result.GetString() == "queued" ? queued : skipped).Add(id.GetGuid());
        }
    }

    /// <summary>Completes tasks until the producers are done and nothing is left.</summary>
    private static async Task CompleteAllAsync(HttpClient http, Task producers)
    {
        while (true)
        {
            var done = producers.IsCompleted;
            var tasks = await http.ClaimAsync(Queue, max: 2, lease_seconds: 60);
            if (tasks.Count > 0)
                (await http.TellAsync("report", [.. tasks.Select(Completed)])).ShouldAllBe(code => code == "ok");
            else if (done)
                break;
        }

        await producers;
    }

    private static object Completed(JsonElement task) => new { id = task.Id(), attempt = task.Whole("attempt"), outcome = "completed" };
}
