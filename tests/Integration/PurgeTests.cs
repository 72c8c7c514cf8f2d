using System.Reflection;
using Npgsql;
using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Storage.Postgres;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

/// <summary>A purge runs in steps: a large queue is neither one transaction nor one lock.</summary>
public sealed class PurgeTests
{
    [Theory]
    [InlineData(DatabaseProvider.Sqlite)]
    [InlineData(DatabaseProvider.Postgres)]
    public async Task A_step_of_a_purge_takes_a_bounded_number_of_tasks_and_the_purge_takes_all(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        await engine.Queues.CreateAsync("q", Delivery.Pull, new QueueSettings());
        var accepted = Micros.Now(TimeProvider.System);
        var tasks = Enumerable.Range(0, 5000).Select(n => New("q", t =>
        {
            (t.OrderingKey, t.Blocked) = n % 10 == 0 ? ($"k{n % 100}", true) : (null, false);
            t.CreatedAt = accepted;
        })).ToList();
        await engine.Store.InsertAsync(tasks);
        await engine.Store.InsertAsync([New("other")]);

        var step = await engine.QueueStore.PurgeAsync("q", EventPolicy.All, T0, max: 1000, acceptedBefore: T0, PurgeMark.First);

        (step.Cancelled, step.Dead, step.Found).ShouldBe((1000, 0, 1000));
        (await StatsAsync("q")).Waiting.ShouldBe(4000);
        (await engine.Store.ClaimAsync(new ClaimRequest([new("q", 0)], 5, "w", 1000), T0.AddDays(1))).Count.ShouldBe(5);
        (await engine.Queues.PurgeAsync("q")).ShouldBeTrue();
        var stats = await StatsAsync("q");
        (stats.Waiting, stats.Running, stats.Dead).ShouldBe((0, 0, 0));
        (await StatsAsync("other")).Waiting.ShouldBe(1);
        foreach (var task in new[] { tasks[0], tasks[2500], tasks[^1] })
            (await database.EventsOfAsync(task.CorrelationId)).Last().Type.ShouldBe(TaskEventType.Cancelled);

        Task<QueueStats> StatsAsync(string queue) => engine.Queues.StatsAsync(queue, Access.All, default);
    }

    /// <summary>A step must not read what the last ones have deleted: until a vacuum, an index still has it.</summary>
    [Theory]
    [InlineData(PurgePart.Waiting, "ix_ready_claim", "ROW(tier, priority, due_at, created_at, id) > ROW(")]
    [InlineData(PurgePart.Blocked, "ix_ready_ordering_key", "ROW((ordering_key)::text, due_at, created_at, id) > ROW(")]
    [InlineData(PurgePart.Running, "PK_running", "(id > ")]
    [InlineData(PurgePart.Dead, "ix_outcomes_dead", "ROW(finished_at, id) > ROW(")]
    public async Task A_step_of_a_purge_begins_at_its_mark_in_an_index(PurgePart part, string index, string from)
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        await using var connection = new NpgsqlConnection(database.ConnectionString);
        await connection.OpenAsync();
        var sql = (string)typeof(PostgresTaskStore).GetField("PurgeSql", BindingFlags.NonPublic | BindingFlags.Static)!.GetValue(null)!;
        await using var settings = new NpgsqlCommand(
            "set enable_seqscan = off; set enable_bitmapscan = off; set enable_sort = off", connection);
        await settings.ExecuteNonQueryAsync(); // the tables are empty
        await using var command = new NpgsqlCommand($"explain {sql}", connection);
        foreach (var value in (object[])["q", T0, T0, 1000, (int)part, 0, 0, "k", T0, Guid.NewGuid(), T0])
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        var plan = new List<string>();
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
            plan.Add(reader.GetString(0));

        var scan = plan.FindIndex(line => line.Contains($"using \"{index}\"", StringComparison.Ordinal)
            || line.Contains($"using {index} ", StringComparison.Ordinal));
        scan.ShouldBePositive(string.Join('\n', plan));
        plan[scan + 1].ShouldContain("Index Cond: ");
        plan[scan + 1].ShouldContain(from);
    }
}
