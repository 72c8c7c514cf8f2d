using Microsoft.Data.SqlClient;

namespace TaskQueue.Tests.Servers;

/// <summary>Databases on the SQL Server named by TASKQUEUE_TEST_SQLSERVER, whose login may create and drop them.</summary>
public static class SqlServerDatabases
{
    /// <summary>Its connection string, without a database.</summary>
    public static string? Server =>
        Environment.GetEnvironmentVariable("TASKQUEUE_TEST_SQLSERVER") is { Length: > 0 } server ? server : null;

    /// <summary>Creates an empty database and returns its connection string.</summary>
    /// <param name="rowVersions">READ_COMMITTED_SNAPSHOT: whether readers see row versions, or wait for locks.</param>
    public static async Task<string> CreateAsync(bool rowVersions)
    {
        var name = $"test_{Guid.NewGuid():N}";
        await ExecuteAsync($"create database {name}", $"alter database {name} set read_committed_snapshot {(rowVersions ? "on" : "off")}");
        return new SqlConnectionStringBuilder(Server) { InitialCatalog = name }.ConnectionString;
    }

    public static Task DropAsync(string connectionString)
    {
        using (var connection = new SqlConnection(connectionString))
            SqlConnection.ClearPool(connection);
        var name = new SqlConnectionStringBuilder(connectionString).InitialCatalog;
        return ExecuteAsync($"alter database {name} set single_user with rollback immediate", $"drop database {name}");
    }

    private static async Task ExecuteAsync(params string[] statements)
    {
        await using var connection = new SqlConnection(new SqlConnectionStringBuilder(Server) { Pooling = false }.ConnectionString);
        await connection.OpenAsync();
        foreach (var statement in statements)
        {
            await using var command = new SqlCommand(statement, connection) { CommandTimeout = 120 };
            await command.ExecuteNonQueryAsync();
        }
    }
}
