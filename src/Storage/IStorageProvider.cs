using System.Data.Common;
using Microsoft.Extensions.DependencyInjection;

namespace TaskQueue.Storage;

/// <summary>
/// One database: its model, its statements and its driver. The host registers those it has with <see cref="StorageProviders"/>.
/// </summary>
public interface IStorageProvider
{
    /// <summary>Which database.</summary>
    DatabaseProvider Provider { get; }

    /// <summary>Where the database is, without user and password.</summary>
    /// <exception cref="ArgumentException">It is no connection string.</exception>
    string Describe(string connectionString);

    /// <summary>Adds the EF Core model and the hot statements.</summary>
    void AddStorage(IServiceCollection services, string connectionString);

    /// <summary>The connection string with limits on waits, where it names none of its own.</summary>
    string WithLimits(string connectionString);

    /// <summary>A closed connection that no pool keeps, with this many seconds to connect, and for a command.</summary>
    DbConnection Connect(string connectionString, int seconds);

    /// <summary>Whether there is a server, but not yet the database.</summary>
    bool IsMissing(DbException fault);
}
