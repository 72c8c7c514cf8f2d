using System.Data.Common;
using Npgsql;
using TaskQueue.Engine;

namespace TaskQueue.Storage.Postgres;

/// <summary>Classifies PostgreSQL errors by their SQLSTATE.</summary>
internal sealed class PostgresFaultClassifier : StorageFaultClassifier
{
    /// <summary>Shutdown, startup, a full disk, or a statement or session ended by the server's own timeouts.</summary>
    public override bool IsTransient(DbException fault) =>
        fault is PostgresException { SqlState: "57P01" or "57P02" or "57P03" or "57P05" or "57014" or "25P03"
            or PostgresErrorCodes.DiskFull or PostgresErrorCodes.IoError };

    /// <summary>A deadlock, or two transactions that promoted the same head of an ordering key.</summary>
    public override bool IsRace(DbException fault) =>
        fault is PostgresException { SqlState: PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.SerializationFailure }
            or PostgresException { SqlState: PostgresErrorCodes.UniqueViolation, ConstraintName: TaskDbContext.HeadIndex };

    /// <summary>
    /// SQLSTATE classes: connection, transaction state, authorization, catalog, syntax or access rule, resources, object state, operator,
    /// system.
    /// </summary>
    public override bool RefusesEveryone(DbException fault) =>
        fault is PostgresException { SqlState: ['0', '8', ..] or ['2', '5' or '6' or '8', ..] or ['3', 'D', ..] or ['4', '2', ..] or ['5',
            '3' or '5' or '7' or '8', ..] };

    /// <summary>
    /// The disk is full or fails. That a large read found no room for its shared memory or its temporary files refuses no write.
    /// </summary>
    public override bool RefusesWrites(DbException fault) =>
        fault is PostgresException { SqlState: PostgresErrorCodes.DiskFull or PostgresErrorCodes.IoError } full
        && full.Routine?.StartsWith("dsm_", StringComparison.Ordinal) != true
        && !full.MessageText.Contains("pgsql_tmp", StringComparison.Ordinal);
}
