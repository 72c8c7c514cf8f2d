using System.Data.Common;
using Microsoft.Data.Sqlite;

namespace TaskQueue.Engine.Storage;

/// <summary>Which faults pass by themselves.</summary>
public static class StorageFaults
{
    /// <summary>Whether the database is away, starting, or busy: the same call may succeed later.</summary>
    public static bool IsTransient(Exception fault) =>
        fault switch
        {
            DbException { IsTransient: true } => true,
            SqliteException { SqliteErrorCode: 5 or 6 } => true, // busy, locked
            // A pool without a free connection, a command or connect that took too long, a connection cut in the middle.
            TimeoutException or System.Net.Sockets.SocketException or IOException => true,
            { InnerException: { } inner } => IsTransient(inner),
            _ => false,
        };
}
