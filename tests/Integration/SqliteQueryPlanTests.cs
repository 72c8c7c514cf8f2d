using System.Data.Common;
using System.Text.RegularExpressions;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Storage.Sqlite;
using TaskQueue.Storage.Tasks;
using TaskQueue.Tests.Integration.Plans;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>How SQLite runs the hot statements. Without statistics it chooses by the indexes alone, so empty tables are enough.</summary>
public sealed partial class SqliteQueryPlanTests(SqliteStoreFixture fixture) : IClassFixture<SqliteStoreFixture>
{
    [Fact]
    public async Task No_hot_statement_reads_a_whole_table()
    {
        await using var store = new SqliteTaskStore(fixture.Database.ConnectionString);
        var now = Micros.Now(TimeProvider.System);
        await new PlannedWork<SqliteTaskStore>(store, now, new ScheduleTick(1, now, null)).RunAsync();
        await using var connection = new SqliteConnection(fixture.Database.ConnectionString);
        await connection.OpenAsync();

        var hot = store.Statements.Where(sql => Large().IsMatch(sql)).ToList();
        hot.Where(sql => !sql.StartsWith("insert into", StringComparison.Ordinal)).Count().ShouldBeGreaterThan(25);
        hot.SelectMany(sql => WholeReads(Explain(connection, sql)).Select(step => $"{step}: {sql}")).ShouldBeEmpty();
        SqliteTaskStore.BacklogStatements.SelectMany(sql => WholeReads(Explain(connection, sql))).ShouldBeEmpty();
        Explain(connection, hot.Single(sql => sql.StartsWith("select id, due_at, octets", StringComparison.Ordinal)))
            .ShouldBe(["SEARCH ready USING INDEX ix_ready_claim (queue=? AND tier=? AND priority=? AND due_at<?)"], "the claim");
    }

    [Theory]
    [InlineData(TaskList.Live)]
    [InlineData(TaskList.Waiting)]
    [InlineData(TaskList.Running)]
    [InlineData(TaskList.Dead)]
    public async Task No_list_reads_a_whole_table(TaskList list)
    {
        await using var database = fixture.Database.CreateContext();
        await database.Database.OpenConnectionAsync();
        await using var first = TaskLists.Page(Views(database), "q", list, from: null, max: 10, back: false).CreateDbCommand();
        await using var next = TaskLists.Page(Views(database), "q", list, new TaskCursor(DateTime.UnixEpoch, Guid.NewGuid()), max: 10,
            back: true).CreateDbCommand();

        foreach (var steps in new[] { Explain(first), Explain(next) })
            WholeReads(steps).ShouldBeEmpty(string.Join('\n', steps));
    }

    private static TaskViewsOf Views(TaskDbContext database) =>
        new(database.WaitingTasks, database.RunningTasks, database.EndedTasks);

    /// <summary>Running tasks, which are few, and the indexes of waiting tasks and callbacks may be read from end to end.</summary>
    private static IEnumerable<string> WholeReads(List<string> steps) => steps.Where(step =>
        step.StartsWith("SCAN ", StringComparison.Ordinal) && !step.Contains("INDEX ix_ready_", StringComparison.Ordinal)
        && !step.StartsWith("SCAN running", StringComparison.Ordinal)
        && !step.Contains("INDEX ix_callbacks_due", StringComparison.Ordinal)
        && !step.StartsWith("SCAN json_each ", StringComparison.Ordinal) && step != "SCAN CONSTANT ROW"
        && !steps.Contains($"CO-ROUTINE {step["SCAN ".Length..]}")); // the rows of a part of the statement

    private static List<string> Explain(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var name in Parameter().Matches(sql).Select(m => m.Value).Distinct())
            command.Parameters.AddWithValue(name, DBNull.Value);
        return Explain(command);
    }

    private static List<string> Explain(DbCommand command)
    {
        command.CommandText = $"explain query plan {command.CommandText}";
        using var reader = command.ExecuteReader();
        var steps = new List<string>();
        while (reader.Read())
            steps.Add(reader.GetString(3));
        return steps;
    }

    [GeneratedRegex(" (tasks|ready|outcomes|outbox|attempts|callbacks)\\b", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Large();

    [GeneratedRegex("@\\w+", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Parameter();
}
