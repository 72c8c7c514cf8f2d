using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Tests.Servers;

/// <summary>A fresh, migrated database of a provider; gone when disposed.</summary>
internal sealed class TestDatabase : IAsyncDisposable
{
    private readonly string? _file;

    private TestDatabase(DatabaseAddress address, string? file)
    {
        Address = address;
        _file = file;
    }

    public DatabaseAddress Address { get; }

    public string ConnectionString => Address.ConnectionString;

    public static async Task<TestDatabase> CreateAsync(DatabaseProvider provider, bool migrate = true)
    {
        var file = provider == DatabaseProvider.Sqlite ? Path.Combine(Path.GetTempPath(), $"taskqueue-{Guid.NewGuid():N}.db") : null;
        var connectionString = file is null ? await TestServers.CreateDatabaseAsync() : $"Data Source={file}";
        var database = new TestDatabase(new DatabaseAddress(provider, connectionString), file);
        if (migrate)
        {
            await using var context = database.CreateContext();
            await context.Database.MigrateAsync();
        }

        return database;
    }

    /// <summary>A context of its own, for looking behind the engine's back.</summary>
    public TaskDbContext CreateContext() => Address.Provider == DatabaseProvider.Sqlite
        ? new SqliteTaskDbContext(new DbContextOptionsBuilder<SqliteTaskDbContext>().UseSqlite(ConnectionString).Options)
        : new PostgresTaskDbContext(new DbContextOptionsBuilder<PostgresTaskDbContext>().UseNpgsql(ConnectionString).Options);

    /// <summary>Where the files lie by default, beside a SQLite file.</summary>
    public string Folder => Path.ChangeExtension(_file!, null) + "-files";

    public async ValueTask DisposeAsync()
    {
        if (_file is null)
        {
            await TestServers.DropDatabaseAsync(ConnectionString);
            return;
        }

        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        foreach (var path in new[] { _file, _file + "-wal", _file + "-shm" })
            File.Delete(path);
        if (Directory.Exists(Folder))
            Directory.Delete(Folder, recursive: true);
    }
}
