using System.Data.Common;

namespace TaskQueue.Storage;

/// <summary>A supported database.</summary>
public enum DatabaseProvider
{
    /// <summary>SQLite: a file for a single process.</summary>
    Sqlite,

    /// <summary>PostgreSQL 15 or later, for any number of processes.</summary>
    Postgres,

    /// <summary>SQL Server 2019 or later, or Azure SQL, for any number of processes.</summary>
    SqlServer,
}

/// <summary>The configured database, <c>ConnectionStrings:TaskQueue</c>.</summary>
/// <param name="Provider">The database provider.</param>
/// <param name="ConnectionString">The connection string as configured.</param>
public sealed record DatabaseAddress(DatabaseProvider Provider, string ConnectionString)
{
    /// <summary>The location of the database without user and password, for logs.</summary>
    public override string ToString() => StorageProviders.Of(Provider).Describe(ConnectionString);

    /// <summary>Parses a connection string; the provider is inferred from its keys unless given.</summary>
    /// <exception cref="FormatException">It is not a connection string of a known provider; the message names the key to
    /// change.</exception>
    public static DatabaseAddress Parse(string connectionString, string? provider)
    {
        try
        {
            var address = new DatabaseAddress(
                provider is { Length: > 0 } ? ParseProvider(provider) : Guess(connectionString), connectionString);
            _ = address.ToString(); // validates it with the provider's own parser
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

    /// <summary>Infers the provider from the keys of a connection string.</summary>
    /// <exception cref="FormatException">No provider matches; the message names the keys to use.</exception>
    public static DatabaseProvider Guess(string connectionString)
    {
        var keys = new DbConnectionStringBuilder { ConnectionString = connectionString };
        if (keys.ContainsKey("Host"))
            return DatabaseProvider.Postgres;
        // The SQL Server driver accepts Data Source for the server too; here it means a file, unless the provider is given.
        if (keys.ContainsKey("Server") || keys.ContainsKey("Initial Catalog"))
            return DatabaseProvider.SqlServer;
        if (keys.ContainsKey("Data Source") || keys.ContainsKey("DataSource") || keys.ContainsKey("Filename"))
            return DatabaseProvider.Sqlite;
        throw new FormatException("ConnectionStrings:TaskQueue must begin with Data Source=… (SQLite), Host=… (PostgreSQL) or "
            + "Server=… (SQL Server).");
    }
}
