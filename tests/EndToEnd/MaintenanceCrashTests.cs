using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>kill -9 in the middle of a job: another process detects it and finishes the job.</summary>
public sealed class MaintenanceCrashTests
{
    private const int Rows = 2500;

    /// <summary>The job is not taken over because it is due: it runs once a day.</summary>
    private static readonly Dictionary<string, string> Settings = new()
    {
        ["TaskQueue:Maintenance:PollSeconds"] = "1", ["TaskQueue:Maintenance:TakeOverAfterSeconds"] = "5",
        ["TaskQueue:Maintenance:TaskRetentionInterval"] = "1.00:00:00",
    };

    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_process_killed_during_a_job_is_detected_and_another_finishes_the_job()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        var rabbitMq = await TestServers.CreateVirtualHostAsync();
        try
        {
            await FillAsync(database);
            await using var api = await TaskQueueProcess.StartAsync("api", database.ConnectionString, rabbitMq, Settings);
            await using var first = await TaskQueueProcess.StartAsync("scheduler", database.ConnectionString, rabbitMq, Settings);
            await using var second = await TaskQueueProcess.StartAsync("scheduler", database.ConnectionString, rabbitMq, Settings);
            (await CountAsync(database)).ShouldBe(Rows);
            (await api.Http.PostAsync("/maintenance/task-retention/run", "")).Status.ShouldBe(202);
            await Eventually.UntilAsync(async () => await CountAsync(database) < Rows, Soon, "the job is under way");
            var running = await JobAsync(api);
            running.Text("outcome").ShouldBe("running");

            var (killed, other) = running.Text("process") == ProcessOf(first) ? (first, second) : (second, first);
            running.Text("process").ShouldBe(ProcessOf(killed));
            killed.Kill();

            (await CountAsync(database)).ShouldBeGreaterThan(0, "it was in the middle");
            await Eventually.UntilAsync(
                async () => (await JobAsync(api)).Text("outcome") == "succeeded", Soon,
                () => $"another one finishes: {other.Output}");
            (await CountAsync(database)).ShouldBe(0);
            var done = await JobAsync(api);
            done.Text("process").ShouldBe(ProcessOf(other));
            done.GetProperty("removed").GetInt64().ShouldBeInRange(1, Rows - 1);
            other.Output.ShouldContain($"Maintenance job task-retention was interrupted in process {ProcessOf(killed)}; taking it "
                + "over");
            other.Lines.ShouldAllBe(l => !l.Contains("Hangfire", StringComparison.Ordinal), "its log is quiet");
            (await other.TerminateAsync()).ShouldBe(0);
        }
        finally
        {
            await TestServers.DeleteVirtualHostAsync(rabbitMq);
        }
    }

    private static string ProcessOf(TaskQueueProcess process) => $"{Environment.MachineName}:{process.ProcessId}";

    private static async Task<JsonElement> JobAsync(TaskQueueProcess api) =>
        (await api.Http.ReadAsync("/maintenance")).Json.GetProperty("jobs").EnumerateArray()
            .Single(j => j.Text("name") == "task-retention");

    /// <summary>Tasks past their retention, each of which takes a moment to remove.</summary>
    private static async Task FillAsync(TestDatabase database)
    {
        await using var db = database.CreateContext();
        var gone = Micros.Now(TimeProvider.System).AddHours(-1);
        await db.InsertAsync(Enumerable.Range(0, Rows)
            .Select(_ => TestTasks.New(change: t => (t.State, t.DeleteAt) = (TaskStates.Completed, gone))));
        await db.Database.ExecuteSqlRawAsync(
            """
            create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.003); return old; end $$;
            create trigger slow before delete on tasks for each row execute function slow()
            """);
    }

    private static async Task<int> CountAsync(TestDatabase database)
    {
        await using var db = database.CreateContext();
        return await db.Tasks.CountAsync();
    }
}
