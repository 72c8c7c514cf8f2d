using Microsoft.EntityFrameworkCore;
using TaskQueue.Storage;
using TaskQueue.Storage.Postgres;
using TaskQueue.Storage.Sqlite;
using TaskQueue.Storage.SqlServer;
using Xunit;

namespace TaskQueue.Tests.Servers;

/// <summary>A fresh, migrated database of a provider; gone when disposed.</summary>
internal sealed class TestDatabase : IAsyncDisposable
{
    private readonly string? _file;
    private readonly OwnServers? _servers;

    private TestDatabase(DatabaseAddress address, string? file, OwnServers? servers = null)
    {
        Address = address;
        _file = file;
        _servers = servers;
    }

    public DatabaseAddress Address { get; }

    public string ConnectionString => Address.ConnectionString;

    /// <param name="provider">Which.</param>
    /// <param name="migrate">Else it is empty.</param>
    /// <param name="rowVersions">On SQL Server: whether readers see row versions, or wait for locks.</param>
    public static async Task<TestDatabase> CreateAsync(DatabaseProvider provider, bool migrate = true, bool rowVersions = true)
    {
        var file = provider == DatabaseProvider.Sqlite ? Path.Combine(Path.GetTempPath(), $"taskqueue-{Guid.NewGuid():N}.db") : null;
        if (file is not null && migrate)
            await TemplateDatabases.CreateSqliteAsync(file);
        var connectionString = provider switch
        {
            DatabaseProvider.Sqlite => $"Data Source={file}",
            DatabaseProvider.Postgres => await (migrate ? TemplateDatabases.CreatePostgresAsync() : TestServers.CreateDatabaseAsync()),
            _ => await SqlServerDatabases.CreateAsync(rowVersions),
        };
        var database = new TestDatabase(new DatabaseAddress(provider, connectionString), file);
        if (migrate && provider == DatabaseProvider.SqlServer)
        {
            await using var context = database.CreateContext();
            await context.Database.MigrateAsync();
        }

        return database;
    }

    /// <summary>A fresh, migrated database on the test's own servers; it is removed with them.</summary>
    public static async Task<TestDatabase> CreateAsync(OwnServers servers)
    {
        var settings = await servers.CreateDatabaseAsync("taskqueue_test");
        settings.Pooling = true;
        settings.MaxPoolSize = 20;
        var database = new TestDatabase(new DatabaseAddress(DatabaseProvider.Postgres, settings.ConnectionString), file: null, servers);
        await using var context = database.CreateContext();
        await context.Database.MigrateAsync();
        return database;
    }

    /// <summary>Closes the connections that this process has pooled.</summary>
    public void ClearConnections()
    {
        using var connection = new Npgsql.NpgsqlConnection(ConnectionString);
        Npgsql.NpgsqlConnection.ClearPool(connection);
    }

    /// <summary>A separate context that bypasses the engine.</summary>
    public TaskDbContext CreateContext() => CreateContext(Address.Provider, ConnectionString);

    /// <summary>A context without a database, for its model.</summary>
    public static TaskDbContext CreateContext(DatabaseProvider provider) => CreateContext(provider, "");

    internal static TaskDbContext CreateContext(DatabaseProvider provider, string connectionString)
    {
        switch (provider)
        {
            case DatabaseProvider.Sqlite:
                return new SqliteTaskDbContext(new DbContextOptionsBuilder<SqliteTaskDbContext>().UseSqlite(connectionString).Options);
            case DatabaseProvider.Postgres:
                return new PostgresTaskDbContext(new DbContextOptionsBuilder<PostgresTaskDbContext>().UseNpgsql(connectionString).Options);
            default:
                var options = new DbContextOptionsBuilder<SqlServerTaskDbContext>();
                SqlServerProvider.Use(options, connectionString);
                return new SqlServerTaskDbContext(options.Options);
        }
    }

    /// <summary>A database of each provider that is available here.</summary>
    public static TheoryData<DatabaseProvider> Providers =>
        [.. Enum.GetValues<DatabaseProvider>().Where(p => p != DatabaseProvider.SqlServer || SqlServerDatabases.Server is not null)];

    /// <summary>Renames a table; on PostgreSQL views of it still find it, on the others they fail.</summary>
    public async Task RenameTableAsync(string from, string to)
    {
        await using var db = CreateContext();
        await db.Database.ExecuteSqlRawAsync(Address.Provider switch
        {
            DatabaseProvider.SqlServer => $"exec sp_rename '{from}', '{to}'",
            DatabaseProvider.Sqlite =>
                $"pragma legacy_alter_table = on; alter table {from} rename to {to}; pragma legacy_alter_table = off",
            _ => $"alter table {from} rename to {to}",
        });
    }

    /// <summary>Where the files lie by default, beside a SQLite file.</summary>
    public string Folder => Path.ChangeExtension(_file!, null) + "-files";

    public async ValueTask DisposeAsync()
    {
        if (_servers is not null)
        {
            ClearConnections();
            return;
        }

        if (_file is null)
        {
            await (Address.Provider == DatabaseProvider.Postgres ? TestServers.DropDatabaseAsync(ConnectionString)
                : SqlServerDatabases.DropAsync(ConnectionString));
            return;
        }

        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        foreach (var path in new[] { _file, _file + "-wal", _file + "-shm", _file + ".lock" })
            File.Delete(path);
        if (Directory.Exists(Folder))
            Directory.Delete(Folder, recursive: true);
    }
}
