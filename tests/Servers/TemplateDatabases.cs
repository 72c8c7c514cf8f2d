using Microsoft.EntityFrameworkCore;
using TaskQueue.Storage;

namespace TaskQueue.Tests.Servers;

/// <summary>One migrated database per provider and test run; a test gets a copy, which is far cheaper than its own migration.</summary>
internal static class TemplateDatabases
{
    private static readonly Lazy<Task<string>> PostgresTemplate = new(MigratePostgresAsync);
    private static readonly Lazy<Task<string>> SqliteTemplate = new(MigrateSqliteAsync);

    /// <summary>Creates a migrated database and returns its connection string.</summary>
    public static async Task<string> CreatePostgresAsync() => await TestServers.CreateDatabaseAsync(template: await PostgresTemplate.Value);

    /// <summary>Creates a migrated database at a path.</summary>
    public static async Task CreateSqliteAsync(string path) => File.Copy(await SqliteTemplate.Value, path);

    /// <returns>Its name. It exists as long as the server.</returns>
    private static async Task<string> MigratePostgresAsync()
    {
        var connectionString = await TestServers.CreateDatabaseAsync();
        // Unpooled: PostgreSQL copies no database that has connections.
        var settings = new Npgsql.NpgsqlConnectionStringBuilder(connectionString) { Pooling = false };
        await using var context = TestDatabase.CreateContext(DatabaseProvider.Postgres, settings.ConnectionString);
        await context.Database.MigrateAsync();
        return settings.Database!;
    }

    /// <returns>Its path. It is removed when the tests end.</returns>
    private static async Task<string> MigrateSqliteAsync()
    {
        var path = Path.Combine(Path.GetTempPath(), $"taskqueue-template-{Guid.NewGuid():N}.db");
        AppDomain.CurrentDomain.ProcessExit += (_, _) => File.Delete(path);
        await using (var context = TestDatabase.CreateContext(DatabaseProvider.Sqlite, $"Data Source={path};Pooling=False"))
            await context.Database.MigrateAsync();
        // Closing the last connection moves the write-ahead log into the file.
        if (File.Exists(path + "-wal"))
            throw new InvalidOperationException($"{path} still has a write-ahead log");
        return path;
    }
}
