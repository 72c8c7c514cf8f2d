using System.Data.Common;
using Microsoft.Data.Sqlite;
using TaskQueue.Engine;

namespace TaskQueue.Storage.Sqlite;

/// <summary>Classifies SQLite errors by their primary result code.</summary>
internal sealed class SqliteFaultClassifier : StorageFaultClassifier
{
    /// <summary>Busy, locked, or the disk is full or fails: an outage like that of a server.</summary>
    public override bool IsTransient(DbException fault) => fault is SqliteException { SqliteErrorCode: 5 or 6 or 10 or 13 };

    public override bool IsRace(DbException fault) => false;

    /// <summary>Error in SQL, permissions, read-only, corrupt, cannot open, schema, not a database.</summary>
    public override bool RefusesEveryone(DbException fault) =>
        fault is SqliteException { SqliteErrorCode: 1 or 3 or 8 or 11 or 14 or 17 or 23 or 26 };

    /// <summary>I/O error, full.</summary>
    public override bool RefusesWrites(DbException fault) => fault is SqliteException { SqliteErrorCode: 10 or 13 };
}
