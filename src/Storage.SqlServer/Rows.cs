using System.Globalization;
using System.Text;
using System.Text.Json;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.SqlServer;

/// <summary>Serializes lists of rows as JSON arrays of arrays, and builds tables from them in statements.</summary>
internal static class Rows
{
    /// <summary>Serializes rows of values, each an int, long, bool, string, Guid, DateTime or null.</summary>
    public static string Json(IEnumerable<object?[]> rows)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartArray();
            foreach (var row in rows)
            {
                json.WriteStartArray();
                foreach (var value in row)
                    Write(json, value);
                json.WriteEndArray();
            }

            json.WriteEndArray();
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    /// <summary>Serializes these columns of tasks.</summary>
    public static string Json(TaskColumn[] columns, IEnumerable<TaskState> tasks) =>
        Json(tasks.Select(t => Array.ConvertAll(columns, c => c.Value(t))));

    /// <summary>Serializes ids.</summary>
    public static string Json(IEnumerable<Guid> ids) => Json(ids.Select(id => (object?[])[id]));

    /// <summary>Serializes queues and tiers with their position in the list.</summary>
    public static string Json(IReadOnlyList<QueueTier> targets) => Json(targets.Select((t, ord) => (object?[])[t.Queue, t.Tier, ord]));

    /// <summary>
    /// A table with columns such as "queue nvarchar(128), tier int", from a parameter whose rows have them in this order.
    /// </summary>
    /// <remarks>Texts get the collation of the columns: otherwise it would conflict with that of the database, which is an error.</remarks>
    public static string Table(string parameter, params string[] columns)
    {
        var parts = Array.ConvertAll(columns, c => c.Split(' ', 2));
        var names = parts.Select(p => Convert(p[0], p[1]));
        var declared = parts.Select((p, i) => $"{p[0]} {Transported(p[1])} '$[{i}]'");
        return $"(select {string.Join(", ", names)} from openjson({parameter}) with ({string.Join(", ", declared)}) as j)";
    }

    /// <summary>A table with columns of the tasks.</summary>
    public static string Table(string parameter, TaskColumn[] columns) =>
        Table(parameter, Array.ConvertAll(columns, c => $"{c.Name} {TypeOf(c)}"));

    /// <summary>The select-list expression of a column, so that readers get the same types on all databases.</summary>
    public static string Read(string column, string prefix) =>
        SqlServerTaskDbContext.Exact.Contains(column) ? $"cast({prefix}{column} as nvarchar(400)) as {column}" : prefix + column;

    /// <summary>The select list of a task, from a row r of a table and its row t of <c>tasks</c>.</summary>
    public static string Read(TaskColumn[] columns, TaskTable table) =>
        string.Join(", ", columns.Select(c =>
            SqlServerTaskDbContext.Exact.Contains(c.Name) ? Read(c.Name, c.IsIn(table) ? "r." : "t.")
            : TaskViews.Select([c], table, SqlServerTaskStore.Missing)));

    /// <summary>Declares columns of a table variable.</summary>
    public static string Declare(IEnumerable<TaskColumn> columns) =>
        string.Join(", ", columns.Select(c => Declare(c.Name, TypeOf(c))));

    /// <summary>Declares a column of a table variable, whose texts otherwise have the collation of the database.</summary>
    public static string Declare(string name, string type) =>
        $"{name} {type}{(IsText(type) ? $" collate {SqlServerTaskDbContext.Collation}" : "")}";

    private static string TypeOf(TaskColumn column) =>
        column.Type == typeof(Guid) ? "binary(16)"
        : column.Type == typeof(int) ? "int"
        : column.Type == typeof(bool) ? "bit"
        : column.Type == typeof(DateTime) ? "datetime2(6)"
        : column.Name == "queue" ? "nvarchar(128)"
        : SqlServerTaskDbContext.Exact.Contains(column.Name) ? SqlServerTaskDbContext.ExactType
        : "nvarchar(max)";

    private static string Transported(string type) => type switch
    {
        "binary(16)" => "char(32)", // hexadecimal digits: how openjson converts bytes differs between versions
        SqlServerTaskDbContext.ExactType => "nvarchar(400)",
        _ => type,
    };

    private static string Convert(string name, string type) => type switch
    {
        "binary(16)" => $"convert(binary(16), j.{name}, 2) as {name}",
        SqlServerTaskDbContext.ExactType => $"convert({type}, j.{name}) as {name}",
        _ when IsText(type) => $"j.{name} collate {SqlServerTaskDbContext.Collation} as {name}",
        _ => $"j.{name}",
    };

    private static bool IsText(string type) => type.StartsWith("nvarchar", StringComparison.Ordinal);

    private static void Write(Utf8JsonWriter json, object? value)
    {
        switch (value)
        {
            case null:
                json.WriteNullValue();
                break;
            case string text:
                json.WriteStringValue(text);
                break;
            case int number:
                json.WriteNumberValue(number);
                break;
            case long number:
                json.WriteNumberValue(number);
                break;
            case bool flag:
                json.WriteBooleanValue(flag);
                break;
            case Guid id:
                json.WriteStringValue(System.Convert.ToHexString(id.ToByteArray(bigEndian: true)));
                break;
            case DateTime time:
                json.WriteStringValue(time.ToString("yyyy-MM-ddTHH:mm:ss.ffffff", CultureInfo.InvariantCulture));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(value), value, "no such type");
        }
    }
}
