using System.Text.RegularExpressions;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Storage.Postgres;
using TaskQueue.Storage.Sqlite;
using TaskQueue.Storage.SqlServer;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>The text of the views is frozen in migrations; a new column needs a migration that creates them anew.</summary>
public sealed partial class TaskViewTests
{
    [Theory]
    [InlineData(DatabaseProvider.Postgres)]
    [InlineData(DatabaseProvider.Sqlite)]
    [InlineData(DatabaseProvider.SqlServer)]
    public void Migrations_create_the_views_of_all_columns(DatabaseProvider provider)
    {
        using var context = TestDatabase.CreateContext(provider);
        var script = Plain(context.GetService<IMigrator>().GenerateScript());

        foreach (var view in ViewsOf(provider))
            script.ShouldContain(Plain(view));
    }

    /// <summary>Statements that create the views.</summary>
    internal static IEnumerable<string> ViewsOf(DatabaseProvider provider)
    {
        Func<TaskColumn, string> missing = provider switch
        {
            DatabaseProvider.Postgres => PostgresTaskStore.Missing,
            DatabaseProvider.Sqlite => SqliteTaskStore.Missing,
            _ => SqlServerTaskStore.Missing,
        };
        var views = new[]
        {
            (TaskViews.Waiting, TaskTable.Ready), (TaskViews.Running, TaskTable.Running), (TaskViews.Ended, TaskTable.Outcomes),
        };
        foreach (var (view, table) in views)
        {
            var name = TaskMove.NameOf(table);
            yield return $"create view {view} as select {TaskViews.Select(TaskColumn.Visible, table, missing, row: $"{name}.")} "
                + $"from {name} join tasks t on t.id = {name}.id";
        }

        var columns = TaskColumn.List(TaskColumn.Visible);
        yield return $"create view {TaskViews.All} as "
            + string.Join(" union all ", views.Select(v => $"select {columns} from {v.Item1}"));
    }

    private static string Plain(string sql) => Whitespace().Replace(sql, " ");

    [GeneratedRegex("\\s+", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Whitespace();
}
