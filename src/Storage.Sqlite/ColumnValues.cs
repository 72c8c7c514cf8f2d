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
