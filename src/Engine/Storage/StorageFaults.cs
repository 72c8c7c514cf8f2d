using System.Data.Common;
using Microsoft.Data.Sqlite;
using Npgsql;
using TaskQueue.Engine.Bus;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Storage;

/// <summary>Which faults pass by themselves.</summary>
public static class StorageFaults
{
    /// <summary>Whether the database is away, starting, or busy: the same call may succeed later.</summary>
    public static bool IsTransient(Exception fault) =>
        fault switch
        {
            BrokerSilentException => false, // whatever is inside
            OverloadedException => true,
            DbException { IsTransient: true } => true,
            // Shut down, starting, or a statement or session that the server's own timeouts ended.
            PostgresException { SqlState: "57P01" or "57P02" or "57P03" or "57P05" or "57014" or "25P03" } => true,
            SqliteException { SqliteErrorCode: 5 or 6 } => true, // busy, locked
            DbException other when SqlServerAssembly.Loaded?.IsTransient(other) == true => true,
            // A pool without a free connection, a command or connect that took too long, a connection cut in the middle.
            TimeoutException or System.Net.Sockets.SocketException or IOException => true,
            { InnerException: { } inner } => IsTransient(inner),
            _ => false,
        };

    /// <summary>Whether the transaction lost a race and the same one, tried again at once, will succeed: a deadlock, or two that gave a thread its first turn.</summary>
    public static bool IsRace(Exception fault) =>
        fault is PostgresException { SqlState: PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.SerializationFailure }
            or PostgresException { SqlState: PostgresErrorCodes.UniqueViolation, ConstraintName: TaskDbContext.TurnIndex }
        || (fault is DbException other && SqlServerAssembly.Loaded?.IsRace(other) == true);
}
