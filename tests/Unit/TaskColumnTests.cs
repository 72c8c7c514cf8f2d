using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

public sealed class TaskColumnTests
{
    [Theory]
    [InlineData(DatabaseProvider.Sqlite)]
    [InlineData(DatabaseProvider.Postgres)]
    [InlineData(DatabaseProvider.SqlServer)]
    public void The_hot_statements_know_the_columns_of_the_model(DatabaseProvider provider)
    {
        using var context = TestDatabase.CreateContext(provider);
        foreach (var table in new[] { TaskTable.Tasks, TaskTable.Ready, TaskTable.Running, TaskTable.Outcomes })
            ColumnsOf(TaskMove.NameOf(table)).ShouldBe(TaskColumn.Of(table).Select(c => c.Name).Order(), $"{table}");
        foreach (var view in TaskViews.Names)
            ColumnsOf(view).ShouldBe(TaskColumn.Visible.Select(c => c.Name).Order(), view);
        TaskColumn.All.Select(c => c.Name).ShouldBeUnique();

        IEnumerable<string> ColumnsOf(string table) =>
            context.Model.FindEntityType(table)!.GetProperties().Select(p => p.GetColumnName()).Order();
    }

    [Fact]
    public void Every_property_of_a_task_maps_to_one_column()
    {
        foreach (var property in typeof(TaskState).GetProperties().Where(p => p.SetMethod is { IsPublic: true }))
        {
            var task = new TaskState();
            var before = TaskColumn.All.Select(c => c.Value(task)).ToList();

            property.SetValue(task, Another(property.PropertyType));

            TaskColumn.All.Where((c, i) => !Equals(c.Value(task), before[i])).Count().ShouldBe(1, property.Name);
        }
    }

    [Fact]
    public void A_transition_loads_every_column_of_the_tables_that_it_moves_rows_between_but_no_payload_and_no_result()
    {
        TaskColumn[] moved = [.. TaskColumn.Ready, .. TaskColumn.Running, .. TaskColumn.Outcomes];
        moved.Where(c => c.Name != "result").ShouldBeSubsetOf(TaskColumn.Loaded);
        TaskColumn.All.Except(TaskColumn.Loaded).Select(c => c.Name)
            .ShouldBe(["payload", "headers", "result", "tags", "schedule_id", "listed_as"]);
        TaskColumn.All.Except(moved).Select(c => c.Name).ShouldBe(["payload", "headers", "tags", "schedule_id", "listed_as"]);
    }

    [Fact]
    public void Every_table_of_tasks_has_the_key_and_a_waiting_or_running_task_needs_no_other_row_to_change()
    {
        foreach (var table in new[] { TaskColumn.Cold, TaskColumn.Ready, TaskColumn.Running, TaskColumn.Outcomes })
            table.ShouldContain(TaskColumn.Id);
        foreach (var table in new[] { TaskColumn.Ready, TaskColumn.Running })
            TaskColumn.Cold.Except(table).Select(c => c.Name).ShouldBe(["payload", "headers", "tags", "schedule_id", "listed_as"]);
    }

    private static object Another(Type type) =>
        Nullable.GetUnderlyingType(type) is { } inner ? Another(inner)
        : type == typeof(Guid) ? Guid.NewGuid()
        : type == typeof(string) ? "another"
        : type == typeof(int) ? 77
        : type == typeof(bool) ? true
        : type == typeof(Priority) ? Priority.Critical
        : type == typeof(DateTime) ? new DateTime(2031, 1, 1, 0, 0, 0, DateTimeKind.Utc)
        : throw new NotSupportedException($"A new type of column: {type}");
}
