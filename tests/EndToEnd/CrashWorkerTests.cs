using System.Collections.Concurrent;
using RabbitMQ.Client;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A worker that vanishes, or a server that vanishes under its workers, leaves no task behind.</summary>
[Collection(CrashCollection.Name)]
public sealed class CrashWorkerTests(CrashFixture fixture)
{
    private CrashCluster Cluster => fixture.Cluster;

    private HttpClient Http => Cluster.Process("api").Http;

    [Fact]
    public async Task Tasks_of_a_vanished_pull_worker_reach_another_within_a_second_of_lease_expiry()
    {
        const string queue = "vanished-pull";
        var ids = await Http.SubmitManyAsync(Enumerable.Repeat(new { action = "x", queue }, 20));
        var start = TimeProvider.System.GetUtcNow();
        (await Http.ClaimAsync(queue, max: 20, lease_seconds: 2)).Count.ShouldBe(20);

        var again = new List<System.Text.Json.JsonElement>();
        while (again.Count < ids.Count)
            again.AddRange(await Http.ClaimAsync(queue, max: 20, lease_seconds: 60, wait_seconds: 10));

        (TimeProvider.System.GetUtcNow() - start).ShouldBeInRange(TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(20));
        again.Select(t => t.Id()).ShouldBe(ids, ignoreOrder: true);
        again.ShouldAllBe(t => t.Whole("attempt") == 2);
        (await Http.TellAsync("report", [.. again.Select(Completed)])).ShouldAllBe(code => code == "ok");
        (await Http.TellAsync("report", [.. ids.Select(id => new { id, attempt = 1, outcome = "completed" })]))
            .ShouldAllBe(code => code == "finished");
    }

    [Fact]
    public async Task Kill_9_of_the_api_amid_claims_and_reports_leaves_no_task_behind()
    {
        const string queue = "killed-pull";
        using var producer = new CrashProducer(() => Cluster.Address("api"), queue);
        var reported = new ConcurrentDictionary<Guid, byte>();
        using var done = new CancellationTokenSource();
        var workers = Enumerable.Range(0, 4).Select(_ => Task.Run(() => WorkAsync(queue, reported, done.Token))).ToList();

        foreach (var half in new[] { 500, 1000 })
        {
            var posting = producer.PostAsync(500);
            await Eventually.UntilAsync(
                () => Task.FromResult(reported.Count >= half - 400), TimeSpan.FromSeconds(20), "workers are at work");
            await Cluster.RestartAsync("api");
            await posting;
        }

        await Cluster.AllCompletedOnceAsync(producer);
        await done.CancelAsync();
        await Task.WhenAll(workers);
        await Cluster.AllAnnouncedAsync(producer, fixture.Subscriber);
    }

    [Fact]
    public async Task A_task_whose_bus_worker_crashed_before_starting_is_run_by_another()
    {
        var (id, queue) = await DispatchedAsync("crashed-early");
        await TakeAndCrashAsync(queue);

        await using var second = await BusWorker.StartAsync(Cluster.RabbitMq!, queue, (w, t) => w.CompleteAsync(t));
        (await Http.TaskAsync(id, "completed")).Whole("attempt").ShouldBe(1);
    }

    [Fact]
    public async Task A_task_whose_bus_worker_crashed_while_running_is_run_again()
    {
        var (id, queue) = await DispatchedAsync("crashed-late");
        await using (await BusWorker.StartAsync(Cluster.RabbitMq!, queue, (w, t) => w.BeginAsync(t)))
            await Http.TaskAsync(id, "running");

        await using var second = await BusWorker.StartAsync(Cluster.RabbitMq!, queue, (w, t) => w.CompleteAsync(t));
        var task = await Http.TaskAsync(id, "completed");
        task.Whole("attempt").ShouldBe(2);
        task.GetProperty("timeline").EnumerateArray().Select(e => e.Text("event"))
            .ShouldBe(["submitted", "started", "retrying", "dispatched", "started", "completed"]);
    }

    private static object Completed(System.Text.Json.JsonElement task) =>
        new { id = task.Id(), attempt = task.Whole("attempt"), outcome = "completed" };

    private async Task<(Guid Id, string Queue)> DispatchedAsync(string queue)
    {
        (await Http.PutAsync($"/queues/{queue}", new { delivery = "push" })).Status.ShouldBe(201);
        return (await Http.SubmitAsync(new { action = "x", queue }), queue);
    }

    /// <summary>Takes a delivery and disappears before it is acknowledged.</summary>
    private async Task TakeAndCrashAsync(string queue)
    {
        await using var connection = await new ConnectionFactory { Uri = new Uri(Cluster.RabbitMq!) }.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync();
        await Eventually.UntilAsync(
            async () => await channel.BasicGetAsync(queue, autoAck: false) is not null, TimeSpan.FromSeconds(10), "the task is dispatched");
        await connection.AbortAsync();
    }

    /// <summary>Claims with a lease of a second and reports; it forgets what it cannot report, like a simple worker.</summary>
    private async Task WorkAsync(string queue, ConcurrentDictionary<Guid, byte> reported, CancellationToken done)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = Cluster.Address("api"),
            Timeout = TimeSpan.FromSeconds(20) };
        while (!done.IsCancellationRequested)
        {
            try
            {
                var tasks = await http.ClaimAsync(queue, max: 10, lease_seconds: 1, wait_seconds: 1);
                if (tasks.Count == 0)
                    continue;
                await http.TellAsync("report", [.. tasks.Select(Completed)]);
                tasks.ForEach(t => reported.TryAdd(t.Id(), 0));
            }
            catch (Exception fault) when (fault is HttpRequestException or IOException or InvalidOperationException)
            {
                await Eventually.UntilAsync(() => IsUpAsync(http), TimeSpan.FromSeconds(20), "the server is back");
            }
        }
    }

    private static async Task<bool> IsUpAsync(HttpClient http)
    {
        try
        {
            using var response = await http.GetAsync("/health/live");
            return response.IsSuccessStatusCode;
        }
        catch (Exception fault) when (fault is HttpRequestException or IOException)
        {
            return false;
        }
    }
}
