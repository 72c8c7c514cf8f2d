using Npgsql;
using NpgsqlTypes;

namespace TaskQueue.Storage.Postgres;

/// <summary>Collects the parameters of a statement while its text is written; each is named by its position.</summary>
internal sealed class Parameters
{
    private readonly NpgsqlBatchCommand _command = new();

    /// <summary>Adds a value.</summary>
    public string Add(int value) => Add(new NpgsqlParameter<int> { TypedValue = value });

    /// <summary>Adds a parameter.</summary>
    private string Add(NpgsqlParameter parameter)
    {
        _command.Parameters.Add(parameter);
        return $"${_command.Parameters.Count}";
    }

    /// <summary>Adds an array with a value of each item.</summary>
    public string Each<TItem, T>(NpgsqlDbType type, IReadOnlyCollection<TItem> items, Func<TItem, T> get) =>
        Add(new NpgsqlParameter<T[]> { TypedValue = Storable<T>([.. items.Select(get)]), NpgsqlDbType = NpgsqlDbType.Array | type });

    /// <summary>
    /// Refuses texts that PostgreSQL would: an error of its own, while Npgsql prepares a statement, spoils the statement for good.
    /// </summary>
    public static T[] Storable<T>(T[] values)
    {
        if (values is string?[] texts && Array.Exists(texts, t => t?.Contains('\0', StringComparison.Ordinal) == true))
            throw new InvalidDataException("PostgreSQL stores no NUL characters");
        return values;
    }

    /// <summary>Adds an array for each column.</summary>
    public string Each(IEnumerable<NpgsqlParameter> arrays) => string.Join(", ", arrays.Select(array => Add(array)));

    /// <summary>The command with its text.</summary>
    public NpgsqlBatchCommand Command(string sql)
    {
        _command.CommandText = sql;
        return _command;
    }
}
