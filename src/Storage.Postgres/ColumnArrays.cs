using Npgsql;
using NpgsqlTypes;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Postgres;

/// <summary>Builds array parameters of columns, for <c>unnest</c>.</summary>
internal static class ColumnArrays
{
    /// <summary>For each column an array parameter with the values of many tasks.</summary>
    public static IEnumerable<NpgsqlParameter> ArraysOf(IEnumerable<TaskColumn> columns, IReadOnlyList<TaskState> tasks)
    {
        var visitor = new Visitor(tasks);
        return columns.Select(c => c.Accept(visitor));
    }

    private static NpgsqlDbType TypeOf(Type type) =>
        type == typeof(Guid) ? NpgsqlDbType.Uuid
        : type == typeof(int) ? NpgsqlDbType.Integer
        : type == typeof(bool) ? NpgsqlDbType.Boolean
        : type == typeof(DateTime) ? NpgsqlDbType.TimestampTz
        : type == typeof(string) ? NpgsqlDbType.Text
        : throw new NotSupportedException($"no column has the type {type}");

    private sealed class Visitor(IReadOnlyList<TaskState> tasks) : ITaskColumnVisitor<NpgsqlParameter>
    {
        public NpgsqlParameter Visit<T>(TaskColumn<T> column)
        {
            var values = new T[tasks.Count];
            for (var i = 0; i < values.Length; i++)
                values[i] = column.Get(tasks[i]);
            return new NpgsqlParameter<T[]>
            {
                TypedValue = Parameters.Storable(values),
                NpgsqlDbType = NpgsqlDbType.Array | TypeOf(column.Type),
            };
        }
    }
}
