using System.Data.Common;
using Microsoft.Data.SqlClient;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Storage.Encryption;
using TaskQueue.Storage.GroupCommit;
using TaskQueue.Storage.Hosting;

namespace TaskQueue.Storage.SqlServer;

/// <summary>SQL Server 2019 or later, and Azure SQL.</summary>
public sealed class SqlServerProvider : IStorageProvider
{
    /// <inheritdoc />
    public DatabaseProvider Provider => DatabaseProvider.SqlServer;

    /// <inheritdoc />
    public string Describe(string connectionString)
    {
        try
        {
            var server = new SqlConnectionStringBuilder(connectionString);
            return $"SQL Server {server.DataSource}/{server.InitialCatalog}";
        }
        catch (FormatException fault)
        {
            throw new ArgumentException(fault.Message, nameof(connectionString), fault);
        }
    }

    /// <inheritdoc />
    public void AddStorage(IServiceCollection services, string connectionString)
    {
        StorageFaults.Use(new SqlServerFaultClassifier());
        SqlServerStorage.RequireCultures();
        connectionString = WithLimits(connectionString);
        services.AddPooledDbContextFactory<SqlServerTaskDbContext>(o =>
            Use(o, connectionString).AddInterceptors(EncryptedEntities.Instance));
        StorageRegistration.AddStore<SqlServerTaskDbContext, SqlServerTaskStore>(services, _ => new SqlServerTaskStore(connectionString));
        services.AddSingleton(sp => new GroupCommitOptions(sp.GetRequiredService<IOptions<EngineOptions>>().Value.CommitPartitions));
    }

    /// <summary>One row for each command: EF Core combines several into a MERGE, which is not safe under concurrent writers.</summary>
    internal static DbContextOptionsBuilder Use(DbContextOptionsBuilder options, string connectionString) =>
        options.UseSqlServer(connectionString, sql => sql.MaxBatchSize(1));

    /// <inheritdoc />
    public DbConnection Connect(string connectionString, int seconds) =>
        new SqlConnection(new SqlConnectionStringBuilder(connectionString) { Pooling = false, ConnectTimeout = seconds,
            CommandTimeout = seconds }.ConnectionString);

    /// <inheritdoc />
    public string TimeExpression => "sysutcdatetime()";

    /// <summary>The replica of an availability group.</summary>
    public string ServerExpression => "@@servername";

    /// <inheritdoc />
    public bool IsMissing(DbException fault) => fault is SqlException { Number: SqlServerFaults.NoDatabase };

    /// <inheritdoc />
    /// <remarks>
    /// A view reads one table after the other. Readers that wait for locks would miss a task that moves between them, or see it twice.
    /// </remarks>
    public string MissingSettingsSql =>
        """
        select N'ALTER DATABASE ' + quotename(name) + N' SET READ_COMMITTED_SNAPSHOT ON' as [Value]
        from sys.databases where database_id = db_id() and is_read_committed_snapshot_on = 0
        """;

    /// <summary>
    /// Limits waits, so that no request waits half a minute for a 503. Settings of the connection string take precedence.
    /// </summary>
    public string WithLimits(string connectionString)
    {
        var said = new DbConnectionStringBuilder { ConnectionString = connectionString };
        var server = new SqlConnectionStringBuilder(connectionString);
        if (!Says("Connect Timeout", "Connection Timeout", "Timeout"))
            server.ConnectTimeout = StorageRegistration.ConnectSeconds;
        if (!Says("Command Timeout"))
            server.CommandTimeout = StorageRegistration.CommandSeconds;
        if (!Says("Application Name", "App"))
            server.ApplicationName = "taskqueue";
        server.CurrentLanguage = "us_english"; // SqlServerFaults parses English messages
        return server.ConnectionString;

        bool Says(params string[] keys) => Array.Exists(keys, said.ContainsKey);
    }
}
