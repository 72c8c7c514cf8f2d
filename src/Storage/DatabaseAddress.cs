using System.Data.Common;

namespace TaskQueue.Storage;

/// <summary>Which database.</summary>
public enum DatabaseProvider
{
    /// <summary>A file, for one process.</summary>
    Sqlite,

    /// <summary>PostgreSQL 15 or later, for any number of processes.</summary>
    Postgres,

    /// <summary>SQL Server 2019 or later, or Azure SQL, for any number of processes.</summary>
    SqlServer,
}

/// <summary>The database of <c>ConnectionStrings:TaskQueue</c>.</summary>
/// <param name="Provider">Which database.</param>
/// <param name="ConnectionString">As configured.</param>
public sealed record DatabaseAddress(DatabaseProvider Provider, string ConnectionString)
{
    /// <summary>Where the database is, without user and password, for logs.</summary>
    public override string ToString() => StorageProviders.Of(Provider).Describe(ConnectionString);

    /// <summary>Reads a connection string; the provider shows in its keys unless it is given.</summary>
    /// <exception cref="FormatException">It is not a connection string of a known provider; says which key to change.</exception>
    public static DatabaseAddress Parse(string connectionString, string? provider)
    {
        try
        {
            var address = new DatabaseAddress(provider is { Length: > 0 } ? ParseProvider(provider)
                : Guess(connectionString), connectionString);
            _ = address.ToString(); // the provider's own parser has a look
            return address;
        }
        catch (Exception fault) when (fault is ArgumentException or KeyNotFoundException)
        {
            throw new FormatException($"ConnectionStrings:TaskQueue is not a connection string: {fault.Message}", fault);
        }
    }

    private static DatabaseProvider ParseProvider(string provider) =>
        provider.ToLowerInvariant() switch
        {
            "sqlite" => DatabaseProvider.Sqlite,
            "postgres" => DatabaseProvider.Postgres,
            "sqlserver" => DatabaseProvider.SqlServer,
            _ => throw new FormatException($"TaskQueue:Provider is '{provider}'; it must be sqlite, postgres or sqlserver."),
        };

    /// <summary>The provider that shows in the keys of a connection string.</summary>
    /// <exception cref="FormatException">None does; says which key to use.</exception>
    public static DatabaseProvider Guess(string connectionString)
    {
        var keys = new DbConnectionStringBuilder { ConnectionString = connectionString };
        if (keys.ContainsKey("Host"))
            return DatabaseProvider.Postgres;
        // Its driver takes Data Source for the server too: that is a file here, unless the provider is given.
        if (keys.ContainsKey("Server") || keys.ContainsKey("Initial Catalog"))
            return DatabaseProvider.SqlServer;
        if (keys.ContainsKey("Data Source") || keys.ContainsKey("DataSource") || keys.ContainsKey("Filename"))
            return DatabaseProvider.Sqlite;
        throw new FormatException("ConnectionStrings:TaskQueue must begin with Data Source=… (SQLite), Host=… (PostgreSQL) or Server=… "
            + "(SQL Server).");
    }
}
