using System.Data.Common;
using Microsoft.Extensions.DependencyInjection;

namespace TaskQueue.Storage;

/// <summary>
/// A database provider: its model, its statements and its driver. The host registers those it supports with <see cref="StorageProviders"/>.
/// </summary>
public interface IStorageProvider
{
    /// <summary>The database.</summary>
    DatabaseProvider Provider { get; }

    /// <summary>The location of the database, without user and password.</summary>
    /// <exception cref="ArgumentException">It is no connection string.</exception>
    string Describe(string connectionString);

    /// <summary>Adds the EF Core model and the hot-path statements.</summary>
    void AddStorage(IServiceCollection services, string connectionString);

    /// <summary>Adds default timeouts to the connection string, unless it sets its own.</summary>
    string WithLimits(string connectionString);

    /// <summary>Creates a closed, unpooled connection with this timeout for connecting and for commands.</summary>
    DbConnection Connect(string connectionString, int seconds);

    /// <summary>SQL expression of the server's time in UTC; null if the database has no clock of its own.</summary>
    string? TimeExpression { get; }

    /// <summary>
    /// SQL expression of a text that changes when another server takes over, which may lack the last transactions; null if there is none.
    /// </summary>
    string? ServerExpression { get; }

    /// <summary>Whether the server exists, but the database does not.</summary>
    bool IsMissing(DbException fault);

    /// <summary>
    /// A query for the settings that the database lacks: for each a row, in column <c>Value</c>, that says what to run. Null if it needs
    /// none.
    /// </summary>
    string? MissingSettingsSql => null;
}
