using System.Data.Common;
using Microsoft.Extensions.DependencyInjection;

namespace TaskQueue.Engine.Storage;

/// <summary>A database whose provider is an assembly of its own, because of the packages that come with it.</summary>
internal interface IStorageProvider
{
    /// <summary>Where the database is, without user and password.</summary>
    /// <exception cref="ArgumentException">It is no connection string.</exception>
    string Describe(string connectionString);

    /// <summary>Adds the EF Core model and the hot statements.</summary>
    void AddStorage(IServiceCollection services, string connectionString);

    /// <summary>A connection that no pool keeps, with so many seconds to connect, and for a command.</summary>
    DbConnection Connect(string connectionString, int seconds);

    /// <summary>As <see cref="StorageFaults.IsTransient"/>, for the faults of its own driver.</summary>
    bool IsTransient(DbException fault);

    /// <summary>Whether the database refuses everybody, whatever the row: it is full or damaged, rights are missing, the schema is another.</summary>
    bool RefusesEverybody(DbException fault);

    /// <summary>As <see cref="StorageFaults.IsRace"/>.</summary>
    bool IsRace(DbException fault);

    /// <summary>Whether there is a server, but not yet the database.</summary>
    bool IsMissing(DbException fault);
}
