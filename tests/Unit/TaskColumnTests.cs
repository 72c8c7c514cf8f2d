using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Storage.Sqlite;
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
        var columns = context.Model.FindEntityType(typeof(TaskState))!.GetProperties().Select(p => p.GetColumnName()).ToList();

        TaskColumn.All.Select(c => c.Name).Order().ShouldBe(columns.Order());
        TaskColumn.All.Select(c => c.Name).ShouldBeUnique();
    }

    [Fact]
    public void Every_property_of_a_task_maps_to_one_column()
    {
        foreach (var property in typeof(TaskState).GetProperties().Where(p => p.SetMethod is { IsPublic: true }))
        {
            var task = new TaskState();
            var before = TaskColumn.All.Select(c => c.SqliteValue(task)).ToList();

            property.SetValue(task, Another(property.PropertyType));

            TaskColumn.All.Where((c, i) => !c.SqliteValue(task).Equals(before[i])).Count().ShouldBe(1, property.Name);
        }
    }

    [Fact]
    public void A_transition_loads_all_it_may_change_and_never_changes_key_or_payload()
    {
        TaskColumn.Changed.ShouldBeSubsetOf(TaskColumn.Loaded);
        TaskColumn.Changed.Select(c => c.Name).ShouldNotContain("id");
        TaskColumn.All.Except(TaskColumn.Loaded).Select(c => c.Name).ShouldBe(["payload", "headers"]);
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
