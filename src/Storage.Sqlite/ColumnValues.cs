using TaskQueue.Engine;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Sqlite;

/// <summary>Values of columns as SQLite stores them.</summary>
internal static class ColumnValues
{
    /// <summary>The stored value; a time is an integer of Unix microseconds.</summary>
    public static object SqliteValue(this TaskColumn column, TaskState task) => column.Value(task) switch
    {
        null => DBNull.Value,
        DateTime time => Micros.FromTime(time),
        var value => value,
    };
}

/// <summary>A statement that writes the row of a task.</summary>
/// <param name="Text">SQL; a parameter is named after its column.</param>
/// <param name="Columns">The columns of its parameters.</param>
internal sealed record RowStatement(string Text, TaskColumn[] Columns)
{
    /// <summary>Inserts a row.</summary>
    public static RowStatement Insert(TaskTable table, string conflict = "")
    {
        var columns = TaskColumn.Of(table);
        return new RowStatement(
            $"insert into {TaskMove.NameOf(table)} ({TaskColumn.List(columns)}) values ({TaskColumn.List(columns, "@")}){conflict}",
            columns);
    }

    /// <summary>Updates what a transition may change of a row that stays in its table.</summary>
    public static RowStatement Update(TaskTable table)
    {
        var changed = TaskColumn.Changing(table);
        return new RowStatement(
            $"update {TaskMove.NameOf(table)} set {string.Join(", ", changed.Select(c => $"{c.Name} = @{c.Name}"))} where id = @id",
            [TaskColumn.Id, .. changed]);
    }

    /// <summary>Deletes a row.</summary>
    public static RowStatement Delete(TaskTable table) => new($"delete from {TaskMove.NameOf(table)} where id = @id", [TaskColumn.Id]);

    /// <summary>A statement for each of the tables of which one says where a task is.</summary>
    public static Dictionary<TaskTable, RowStatement> Each(Func<TaskTable, RowStatement> statement) =>
        new[] { TaskTable.Ready, TaskTable.Running, TaskTable.Outcomes }.ToDictionary(table => table, statement);
}
