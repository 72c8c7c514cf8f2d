using System.Data.Common;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using TaskQueue.Engine;
using TaskQueue.Engine.Files;
using TaskQueue.Storage.Encryption;
using TaskQueue.Storage.GroupCommit;
using TaskQueue.Storage.Hosting;

namespace TaskQueue.Storage.Sqlite;

/// <summary>SQLite: a file for a single process.</summary>
public sealed class SqliteProvider : IStorageProvider
{
    /// <inheritdoc />
    public DatabaseProvider Provider => DatabaseProvider.Sqlite;

    /// <inheritdoc />
    public string Describe(string connectionString) =>
        $"SQLite file {Path.GetFullPath(new SqliteConnectionStringBuilder(connectionString).DataSource)}";

    /// <inheritdoc />
    public void AddStorage(IServiceCollection services, string connectionString)
    {
        StorageFaults.Use(new SqliteFaultClassifier());
        services.AddSingleton(new LocalDatabaseFolder(Path.ChangeExtension(
            new SqliteConnectionStringBuilder(connectionString).DataSource, null) + "-files"));
        services.AddPooledDbContextFactory<SqliteTaskDbContext>(o =>
            o.UseSqlite(connectionString).AddInterceptors(EncryptedEntities.Instance));
        StorageRegistration.AddStore<SqliteTaskDbContext, SqliteTaskStore>(services, _ => new SqliteTaskStore(connectionString));
        services.AddSingleton(new GroupCommitOptions(Partitions: 1));
    }

    /// <summary>No other process uses the file, so there are no waits to limit.</summary>
    public string WithLimits(string connectionString) => connectionString;

    /// <inheritdoc />
    public DbConnection Connect(string connectionString, int seconds) => new SqliteConnection(connectionString);

    /// <summary>The machine's clock counts.</summary>
    public string? TimeExpression => null;

    /// <inheritdoc />
    public string? ServerExpression => null;

    /// <summary>A missing file is created when it is opened.</summary>
    public bool IsMissing(DbException fault) => false;
}
