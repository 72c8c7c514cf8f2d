using System.Data;
using Microsoft.Data.SqlClient;

namespace TaskQueue.Storage.SqlServer;

/// <summary>
/// A statement with the names and types of its parameters, which are passed with every call, so that the server caches a single plan. Lists
/// are JSON: of any length, but a single parameter.
/// </summary>
internal sealed class Statement(string text, params Statement.Parameter[] parameters)
{
    public string Text { get; } = text;

    public IReadOnlyList<Parameter> Parameters { get; } = parameters;

    public static Parameter Json(string name) => new(name, SqlDbType.NVarChar, -1);

    public static Parameter Text4000(string name) => new(name, SqlDbType.NVarChar, 4000);

    public static Parameter Queue(string name) => new(name, SqlDbType.NVarChar, 128);

    public static Parameter LongText(string name) => new(name, SqlDbType.NVarChar, -1);

    public static Parameter Int(string name) => new(name, SqlDbType.Int);

    public static Parameter BigInt(string name) => new(name, SqlDbType.BigInt);

    public static Parameter Time(string name) => new(name, SqlDbType.DateTime2, Scale: 6);

    public static Parameter Id(string name) => new(name, SqlDbType.Binary, 16);

    /// <summary>Creates the command; values are in parameter order.</summary>
    public SqlCommand On(SqlConnection connection, SqlTransaction? transaction, params object?[] values)
    {
        if (values.Length != Parameters.Count)
            throw new ArgumentException($"{Parameters.Count} parameters, {values.Length} values", nameof(values));
        var command = new SqlCommand(Text, connection, transaction);
        for (var i = 0; i < values.Length; i++)
            command.Parameters.Add(Parameters[i].With(values[i]));
        return command;
    }

    /// <param name="Name">Name, including its @.</param>
    /// <param name="Type">Its type.</param>
    /// <param name="Size">Length in characters or bytes; -1 is max.</param>
    /// <param name="Scale">Fractional second digits.</param>
    internal sealed record Parameter(string Name, SqlDbType Type, int Size = 0, byte Scale = 0)
    {
        public SqlParameter With(object? value) => new(Name, Type, Size)
        {
            Scale = Scale,
            Value = value switch
            {
                null => DBNull.Value,
                Guid id => id.ToByteArray(bigEndian: true),
                _ => value,
            },
        };
    }
}
