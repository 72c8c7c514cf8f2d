using System.Diagnostics;
using System.Text.Json;
using Npgsql;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>An outage of a dependency is no reason to restart a process.</summary>
public sealed class OutageHealthTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_broker_or_database_outage_restarts_no_process()
    {
        await using var servers = await OwnServers.StartAsync();
        var database = new NpgsqlConnectionStringBuilder(servers.Postgres).ConnectionString;
        (await TaskQueueProcess.RunAsync(["migrate"], new Dictionary<string, string> { ["ConnectionStrings__TaskQueue"] = database }))
            .ExitCode.ShouldBe(0);
        await using var process = await TaskQueueProcess.StartAsync("api,scheduler,consumers", database, servers.RabbitMq,
            UnresponsiveTests.Quick);

        // A queue survives a kill of its broker once its name is on disk, half a second after the last declaration.
        await Eventually.UntilAsync(
            async () => await CanariesTakenAsync(servers) >= 4, Patience, "every queue is used for longer than that");

        await servers.RunAsync("stop-rabbitmq", "kill");
        await StaysLiveAsync(process, TimeSpan.FromSeconds(10));
        await servers.RunAsync("start-rabbitmq");
        await ReadyAgainAsync(process, "the broker");

        await servers.RunAsync("stop-postgres", "immediate");
        await StaysLiveAsync(process, TimeSpan.FromSeconds(10));
        await servers.RunAsync("start-postgres");
        await ReadyAgainAsync(process, "the database");
    }

    /// <summary>The lowest number of durable queues seen, one reading each half second.</summary>
    private static async Task<int> CanariesTakenAsync(OwnServers servers)
    {
        using var queues = JsonDocument.Parse(await servers.ManagementAsync("/api/queues"));
        return queues.RootElement.EnumerateArray().Where(q => q.GetProperty("durable").GetBoolean())
            .Min(q => q.TryGetProperty("message_stats", out var stats) && stats.TryGetProperty("ack", out var taken)
                ? taken.GetInt32() : 0);
    }

    private static async Task ReadyAgainAsync(TaskQueueProcess process, string back)
    {
        await Eventually.UntilAsync(
            async () => (await process.Http.ReadAsync("/health/ready")).Status == 200, Patience, $"it is ready, since {back} is back");
        var id = await process.Http.SubmitAsync(new { action = "uppercase", data = new { text = "a" } });
        await process.Http.TaskAsync(id, "completed");
    }

    /// <summary>Not ready, but live in every reading, for longer than the restart threshold.</summary>
    private static async Task StaysLiveAsync(TaskQueueProcess process, TimeSpan length)
    {
        await Eventually.UntilAsync(async () => (await process.Http.ReadAsync("/health/ready")).Status == 503, Patience, "it is not ready");
        var begun = Stopwatch.GetTimestamp();
        await Eventually.UntilAsync(
            async () =>
            {
                var live = await process.Http.ReadAsync("/health/live");
                live.Status.ShouldBe(200, live.Text);
                return Stopwatch.GetElapsedTime(begun) > length;
            },
            length + Patience,
            "it lives");
        (await process.Http.ReadAsync("/health/ready")).Status.ShouldBe(503);
    }
}
