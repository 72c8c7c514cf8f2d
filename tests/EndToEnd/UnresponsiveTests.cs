using Npgsql;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// Processes that run and answer, but receive nothing or do nothing: first they become unready, then not live.
/// </summary>
public sealed class UnresponsiveTests : ProcessTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);

    /// <summary>Much shorter than any real setting; a healthy process must be healthy with these too.</summary>
    internal static readonly Dictionary<string, string> Quick = new()
    {
        ["TaskQueue:Health:CanarySeconds"] = "0.5",
        ["TaskQueue:Health:UnresponsiveAfterSeconds"] = "5",
        ["TaskQueue:Health:RestartAfterSeconds"] = "9",
    };

    private static readonly string[] Silenced = ["taskqueue-submit", "tasks", "work-available", "replies"];

    [Fact]
    public async Task A_process_whose_consumers_receive_nothing_is_detected_although_another_consumes_the_same_queues()
    {
        await using var unresponsive = await TaskQueueProcess.StartAsync("consumers", Database.ConnectionString, RabbitMq, Quick);
        await TestServers.SilenceAsync(RabbitMq, "taskqueue-submit");
        await TestServers.SilenceAsync(RabbitMq, "tasks");
        foreach (var own in (await TestServers.QueueDepthsAsync(RabbitMq)).Where(q => q.Type == "classic"))
            await TestServers.SilenceAsync(RabbitMq, own.Name);
        await using var well = await TaskQueueProcess.StartAsync("api,scheduler,consumers", Database.ConnectionString, RabbitMq, Quick);

        await NotReadyAsync(unresponsive, "canary", well);
        await NotLiveAsync(unresponsive, "canary", well);
        await Eventually.UntilAsync(
            async () =>
            {
                var said = (await unresponsive.Http.ReadAsync("/health/ready")).Json.GetProperty("checks").GetProperty("canary")
                    .Text("description")!;
                said.ShouldNotContain("taskqueue-report");
                return Array.TrueForAll(Silenced, e => said.Contains(e, StringComparison.Ordinal));
            },
            Patience,
            "all are named that hear nothing");
        (await MetricsText.ReadAsync(unresponsive.Http)).Sum("taskqueue_canary_age_seconds", ("endpoint", "tasks")).ShouldBeGreaterThan(5);
        (await MetricsText.ReadAsync(unresponsive.Http)).Sum("taskqueue_canary_age_seconds", ("endpoint", "taskqueue-report"))
            .ShouldBeLessThan(5);
    }

    [Fact]
    public async Task A_process_that_lost_its_queues_redeclares_them_and_recovers()
    {
        await using var process = await TaskQueueProcess.StartAsync("api,scheduler,consumers", Database.ConnectionString, RabbitMq, Quick);
        var queues = (await TestServers.QueueDepthsAsync(RabbitMq)).Where(q => !q.Name.EndsWith("_error", StringComparison.Ordinal))
            .Select(q => q.Name).ToList();
        queues.Count.ShouldBeGreaterThanOrEqualTo(6);
        foreach (var queue in queues)
            await TestServers.DropQueueAsync(RabbitMq, queue);

        await Eventually.UntilAsync(
            async () => (await TestServers.QueueDepthsAsync(RabbitMq)).Select(q => q.Name).Intersect(queues).Count() == queues.Count
                && (await process.Http.ReadAsync("/health/ready")).Status == 200,
            Patience,
            "the queues are back");
        var id = await process.Http.SubmitAsync(new { action = "uppercase", data = new { text = "a" } });
        await process.Http.TaskAsync(id, "completed");
        (await process.Http.ReadAsync("/health/live")).Status.ShouldBe(200);
    }

    [Fact]
    public async Task A_hanging_loop_is_detected_while_the_database_answers_and_recovers_when_it_continues()
    {
        await using var scheduler = await TaskQueueProcess.StartAsync("scheduler", Database.ConnectionString, RabbitMq, Quick);
        await using (var connection = new NpgsqlConnection(Database.ConnectionString))
        {
            await connection.OpenAsync();
            await using var transaction = await connection.BeginTransactionAsync();
            await using var command = new NpgsqlCommand("lock table callbacks in access exclusive mode", connection, transaction);
            await command.ExecuteNonQueryAsync();

            (await NotReadyAsync(scheduler, "callback-service")).ShouldContain("database answers");
            await NotLiveAsync(scheduler, "callback-service");
            (await MetricsText.ReadAsync(scheduler.Http)).Sum("taskqueue_loop_age_seconds", ("loop", "callback-service"))
                .ShouldBeGreaterThan(5);
            (await scheduler.Http.ReadAsync("/health/ready")).Json.GetProperty("checks").GetProperty("lease-sweep").Text("status")
                .ShouldBe("healthy");
        }

        await Eventually.UntilAsync(
            async () => (await scheduler.Http.ReadAsync("/health/ready")).Status == 200, Patience, "it is ready again");
        (await scheduler.Http.ReadAsync("/health/live")).Status.ShouldBe(200);
    }

    /// <returns>The check's description.</returns>
    private static async Task<string> NotReadyAsync(TaskQueueProcess process, string check, TaskQueueProcess? well = null)
    {
        var readyAt = TimeProvider.System.GetTimestamp();
        var checks = await Eventually.UntilAsync<object>(
            async () =>
            {
                await IsWellAsync(well);
                var began = TimeProvider.System.GetTimestamp();
                var live = await process.Http.ReadAsync("/health/live");
                var ready = await process.Http.ReadAsync("/health/ready");
                if (ready.Status == 200)
                {
                    readyAt = began;
                    return null;
                }

                // Readiness fails first, by four seconds: after a longer pause both may have failed.
                if (well is null && TimeProvider.System.GetElapsedTime(readyAt) < TimeSpan.FromSeconds(3))
                    live.Status.ShouldBe(200, live.Text);
                return ready.Json.GetProperty("checks").GetProperty(check).Text("status") == "healthy" ? null : ready;
            },
            Patience,
            $"{check} is not ready");
        return ((Reply)checks).Json.GetProperty("checks").GetProperty(check).Text("description")!;
    }

    private static async Task NotLiveAsync(TaskQueueProcess process, string check, TaskQueueProcess? well = null) =>
        await Eventually.UntilAsync(
            async () =>
            {
                await IsWellAsync(well);
                var live = await process.Http.ReadAsync("/health/live");
                return live.Status == 503 && live.Json.GetProperty("checks").GetProperty(check).Text("status") == "unhealthy";
            },
            Patience,
            $"{check} is not live");

    private static async Task IsWellAsync(TaskQueueProcess? process)
    {
        foreach (var path in process is null ? [] : new[] { "/health/ready", "/health/live" })
        {
            var text = "";
            await Eventually.UntilAsync(
                async () =>
                {
                    var reply = await process!.Http.ReadAsync(path);
                    text = reply.Text;
                    return reply.Status == 200;
                },
                Patience,
                () => $"{path} of the other process: {text}");
        }
    }
}
