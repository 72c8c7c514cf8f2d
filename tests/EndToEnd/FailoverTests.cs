using Npgsql;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>PostgreSQL is replaced by a replica that lagged, while a server and a worker run.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class FailoverTests
{
    private const string Queue = "failover";
    private const int Tasks = 200;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Push_tasks_that_are_accepted_after_a_failover_run_although_their_events_have_the_ids_of_lost_ones()
    {
        await using var servers = await OwnServers.StartAsync();
        var database = new NpgsqlConnectionStringBuilder(servers.Postgres).ConnectionString;
        (await TaskQueueProcess.RunAsync(["migrate"], new Dictionary<string, string> { ["ConnectionStrings__TaskQueue"] = database }))
            .ExitCode.ShouldBe(0);
        await using var process = await TaskQueueProcess.StartAsync("api,scheduler,consumers", database, servers.RabbitMq);
        (await process.Http.PutAsync($"/queues/{Queue}", new { delivery = "push" })).Status.ShouldBe(201);
        await using var worker = await BusWorker.StartAsync(servers.RabbitMq, Queue, (w, t) => w.CompleteAsync(t));
        await RunAsync(process);
        await servers.RunAsync("back-up-postgres");
        await RunAsync(process); // the replica never gets these

        await servers.RunAsync("fail-over");
        await Eventually.UntilAsync(
            async () => (await process.Http.ReadAsync("/health/ready")).Status == 200, Patience, "the server uses the new database");

        await RunAsync(process);
    }

    /// <summary>Submits tasks one by one, so that each has rows of the outbox to itself, and waits until all have run.</summary>
    private static async Task RunAsync(TaskQueueProcess process)
    {
        var ids = new List<Guid>();
        for (var n = 0; n < Tasks; n++)
            ids.Add(await process.Http.SubmitAsync(new { action = "x", queue = Queue }));
        foreach (var id in ids)
            await process.Http.TaskAsync(id, "completed");
    }
}
