using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A backup made under load, and a server that continues from it, as docs/operations.md describes.</summary>
public sealed class BackupTests
{
    private const string AllRoles = "api,scheduler,consumers";
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    /// <summary>The recipe's step for a new broker: messages sent to the old one are sent again at once.</summary>
    private const string RedispatchSql = "update ready set dispatch_at = due_at where dispatch_at is not null";

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_dump_made_under_load_is_restored_and_every_task_of_it_ends_once(bool freshBroker)
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        var rabbitMq = await TestServers.CreateVirtualHostAsync();
        var otherRabbitMq = await TestServers.CreateVirtualHostAsync();
        var dump = Path.Combine(Path.GetTempPath(), $"taskqueue-{Guid.NewGuid():N}.dump");
        await using var restored = await TestDatabase.CreateAsync(DatabaseProvider.Postgres, migrate: false);
        try
        {
            var accepted = await DumpUnderLoadAsync(database, rabbitMq, dump);
            await PostgresToolAsync("pg_restore", restored, "--no-owner", "--exit-on-error", dump);
            var kept = await IdsAsync(restored);
            kept.Count.ShouldBeInRange(200, accepted.Count - 1, "the dump is of the middle");
            if (freshBroker)
                await ExecuteAsync(restored, RedispatchSql);
            await GoOnAsync(restored, freshBroker ? otherRabbitMq : rabbitMq, kept, lost: accepted.Except(kept).First(),
                hearsOfLost: !freshBroker);
        }
        finally
        {
            File.Delete(dump);
            await TestServers.DeleteVirtualHostAsync(rabbitMq);
            await TestServers.DeleteVirtualHostAsync(otherRabbitMq);
        }
    }

    [Fact]
    public async Task A_SQLite_backup_made_under_load_continues_with_all_its_tasks_and_files()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite, migrate: false);
        await using var copy = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite, migrate: false);
        var slow = new Dictionary<string, string> { ["TaskQueue:Actions:SimulatedWorkMs"] = "50" };
        List<Guid> kept;
        string file;
        await using (var server = await TaskQueueProcess.StartAsync(AllRoles, database.ConnectionString, rabbitMq: null, slow))
        {
            file = await UploadAsync(server.Http);
            using var producer = new CrashProducer(() => server.Http.BaseAddress!);
            await UnderLoadAsync(producer, () =>
                ExecuteAsync(database, $"vacuum into '{new SqliteConnectionStringBuilder(copy.ConnectionString).DataSource}'"));
            CopyFolder(database.Folder, copy.Folder); // after the rows: the contents of every file in the copy exist
            kept = await IdsAsync(copy);
            kept.Count.ShouldBeInRange(200, producer.Count - 1, "the copy is of the middle");
        }

        await using var again = await TaskQueueProcess.StartAsync(AllRoles, copy.ConnectionString, rabbitMq: null);
        await AllCompletedOnceAsync(copy, kept);
        (await again.Http.ReadAsync($"/v1/files/{file}/content")).Text.ShouldBe("{}\n");
    }

    /// <summary>A server without consumers, so its dispatches wait at the broker; the dump is made while tasks arrive.</summary>
    private static async Task<IReadOnlyCollection<Guid>> DumpUnderLoadAsync(TestDatabase database, string rabbitMq, string dump)
    {
        await using var server = await TaskQueueProcess.StartAsync("api,scheduler", database.ConnectionString, rabbitMq);
        using var producer = new CrashProducer(() => server.Http.BaseAddress!);
        await UnderLoadAsync(producer, () => PostgresToolAsync("pg_dump", database, "--format=custom", "--file", dump));
        await Eventually.UntilAsync(
            async () =>
                (await TestServers.QueueDepthsAsync(rabbitMq)).Any(q => q is { Name: "tasks", Messages: > 0 })
                    && await AllSentAsync(database),
            Deadline, "dispatches wait at the broker");
        return producer.Accepted;
    }

    /// <summary>Tasks come before, during and after the backup.</summary>
    private static async Task UnderLoadAsync(CrashProducer producer, Func<Task> backup)
    {
        await producer.PostAsync(200);
        using var ended = new CancellationTokenSource();
        var more = Task.Run(async () =>
        {
            while (!ended.IsCancellationRequested)
                await producer.PostAsync(20);
        });
        await backup();
        await ended.CancelAsync();
        await more;
        await producer.PostAsync(20); // certainly not in the backup
    }

    /// <summary>A server on the restored database finishes its tasks; it does not know later ones.</summary>
    private static async Task GoOnAsync(TestDatabase restored, string rabbitMq, IReadOnlyCollection<Guid> kept, Guid lost, bool hearsOfLost)
    {
        await using var server = await TaskQueueProcess.StartAsync(AllRoles, restored.ConnectionString, rabbitMq);
        await AllCompletedOnceAsync(restored, kept);
        (await server.Http.ReadAsync($"/tasks/{lost}")).Status.ShouldBe(404);
        if (hearsOfLost)
            await Eventually.UntilAsync(
                () => Task.FromResult(server.Lines.Any(l => l.Contains("was refused: NotFound", StringComparison.Ordinal))), Deadline,
                "reports of lost tasks are refused");
        await Eventually.UntilAsync(
            async () => (await TestServers.QueueDepthsAsync(rabbitMq)).All(q => q.Messages == 0), Deadline, "no message is left");
        (await TestServers.QueueDepthsAsync(rabbitMq)).Where(q => q.Name.EndsWith("_error", StringComparison.Ordinal)).ShouldBeEmpty();
        await server.Http.TaskAsync(await server.Http.SubmitAsync(new { action = "uppercase", data = new { text = "new" } }), "completed");
    }

    private static async Task AllCompletedOnceAsync(TestDatabase database, IReadOnlyCollection<Guid> kept)
    {
        await using var db = database.CreateContext();
        await Eventually.UntilAsync(
            async () => !await db.Tasks.AnyAsync(t => t.State != TaskStates.Completed), Deadline, "every task is completed");
        (await IdsAsync(database)).ShouldBe(kept, ignoreOrder: true);
        var completions = (await db.EventsAsync()).Where(e => e.Type == TaskEventType.Completed).CountBy(e => e.TaskId).ToList();
        completions.Count.ShouldBe(kept.Count);
        completions.ShouldAllBe(c => c.Value == 1);
    }

    private static async Task<bool> AllSentAsync(TestDatabase database)
    {
        await using var connection = new NpgsqlConnection(database.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(
            "select not exists (select from outbox_partitions p join outbox o on o.partition_id = p.id and o.id > p.published_to)",
            connection);
        return await command.ExecuteScalarAsync() is true;
    }

    private static async Task<List<Guid>> IdsAsync(TestDatabase database)
    {
        await using var db = database.CreateContext();
        return await db.Tasks.Select(t => t.CorrelationId).ToListAsync();
    }

    private static async Task ExecuteAsync(TestDatabase database, string sql)
    {
        await using var db = database.CreateContext();
        await db.Database.ExecuteSqlRawAsync(sql);
    }

    private static async Task PostgresToolAsync(string tool, TestDatabase database, params string[] args)
    {
        var server = new NpgsqlConnectionStringBuilder(database.ConnectionString);
        using var command = new Command(
            tool, ["--host", server.Host!, "--port", $"{server.Port}", "--username", server.Username!, "--dbname", server.Database!,
                .. args],
            new Dictionary<string, string> { ["PGPASSWORD"] = server.Password! });
        (await command.WaitAsync(Deadline)).ShouldBe(0, command.Output);
    }

    private static async Task<string> UploadAsync(HttpClient http)
    {
        using var form = new MultipartFormDataContent { { new StringContent("batch"), "purpose" },
            { new StringContent("{}\n"), "file", "lines.jsonl" } };
        var reply = await http.SendAsync(HttpMethod.Post, "/v1/files", form);
        return reply.Json.Text("id")!;
    }

    private static void CopyFolder(string from, string to)
    {
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }
}
