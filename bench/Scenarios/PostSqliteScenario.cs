using Microsoft.Data.Sqlite;
using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Scenarios;

/// <summary>POST /tasks to one process with a SQLite file and without a broker.</summary>
internal static class PostSqliteScenario
{
    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchRun run)
    {
        var database = $"Data Source={Path.Combine(run.Options.Scratch, "taskqueue.db")}";
        using var server = await ServerProcess.StartAsync(BenchRun.AllRoles, database, rabbitMq: null, run.Stop);
        var wrk = new Wrk(run, server, "/tasks", Bodies.One(Bodies.PullQueue), PostScenario.Connections);
        await wrk.RunAsync(run.Sizes.WarmUp);
        var measured = await run.SampleAsync(() => wrk.RunAsync(run.Sizes.Load));
        wrk.DemandRows(await CountAsync(database, run.Stop));
        server.DemandNoTrouble();
        return [new("POST /tasks on SQLite, to a pull queue", new Series(measured, Unit.TasksPerSecond))];
    }

    private static async Task<long> CountAsync(string database, CancellationToken cancellationToken)
    {
        await using var connection = new SqliteConnection(database);
        await connection.OpenAsync(cancellationToken);
        await using var command = connection.CreateCommand();
        command.CommandText = "select count(*) from tasks";
        return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
    }
}
