using System.Data.Common;
using System.Text.RegularExpressions;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
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
        Explain(connection, hot.Single(sql => sql.StartsWith("select id, due_at, created_at, octets", StringComparison.Ordinal)))
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

    [Fact]
    public async Task A_list_of_what_waits_reads_the_start_of_each_range_of_the_index()
    {
        await using var database = fixture.Database.CreateContext();
        await database.Database.OpenConnectionAsync();
        await using var list = TaskLists.Page(Views(database), "q", TaskList.Waiting, from: null, max: 10, back: false, tiers: [0, 1])
            .CreateDbCommand();

        var steps = Explain(list);
        steps.Count(s => s.Contains("INDEX ix_ready_claim (queue=? AND tier=? AND priority=?)", StringComparison.Ordinal)).ShouldBe(8);
        steps.Zip(steps.Skip(1)).ShouldNotContain(
            s => s.Second.Contains("TEMP B-TREE", StringComparison.Ordinal) && !s.First.StartsWith("SCAN ", StringComparison.Ordinal),
            "only the page of each part is sorted");
        WholeReads(steps).ShouldBeEmpty(string.Join('\n', steps));
    }

    [Theory]
    [InlineData(TaskStates.Completed, "ix_outcomes_owner (owner=? AND state=?)")]
    [InlineData(TaskStates.Failed, "ix_outcomes_owner (owner=? AND state=?)")]
    [InlineData(TaskStates.Cancelled, "ix_outcomes_owner (owner=? AND state=?)")]
    [InlineData(TaskStates.Expired, "ix_outcomes_owner (owner=? AND state=?)")]
    [InlineData(TaskStates.Pending, "ix_ready_owner (owner=? AND state=?)")]
    [InlineData(TaskStates.Retrying, "ix_ready_owner (owner=? AND state=?)")]
    [InlineData(TaskStates.Failed, "ix_outcomes_ended (state=?)", false)]
    [InlineData(TaskStates.Retrying, "ix_ready_retrying", false)]
    public async Task A_list_by_state_is_not_sorted(int state, string index, bool ofOneOwner = true)
    {
        await using var database = fixture.Database.CreateContext();
        await database.Database.OpenConnectionAsync();
        var access = ofOneOwner ? Access.Of("o") : Access.All;
        var views = new TaskViewsOf(access.Filter(database.WaitingTasks), access.Filter(database.RunningTasks),
            access.Filter(database.EndedTasks));
        await using var list = TaskQueries.Newest(TaskQueries.InState(views, state, access), max: 10).CreateDbCommand();

        var steps = Explain(list);
        steps.ShouldContain(s => s.Contains(index, StringComparison.Ordinal), string.Join('\n', steps));
        steps.ShouldNotContain(s => s.Contains("TEMP B-TREE", StringComparison.Ordinal));
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
