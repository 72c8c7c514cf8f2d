using System.Data.Common;

namespace TaskQueue.Engine;

/// <summary>Classifies the exceptions of one database driver; returns false for those of others. See <see cref="StorageFaults"/>.</summary>
public abstract class StorageFaultClassifier
{
    /// <summary>Whether the database is unreachable, starting or busy, if <see cref="DbException.IsTransient"/> does not tell.</summary>
    public abstract bool IsTransient(DbException fault);

    /// <summary>Whether the transaction hit a concurrency conflict and succeeds on an immediate retry.</summary>
    public abstract bool IsRace(DbException fault);

    /// <summary>
    /// Whether the database rejects every caller, whatever the row: it is full, damaged or read-only, permissions are missing, or its
    /// schema has another version.
    /// </summary>
    public abstract bool RefusesEveryone(DbException fault);

    /// <summary>Whether the database reads but cannot write now: its disk or its log is full, or fails. Also transient.</summary>
    public abstract bool RefusesWrites(DbException fault);
}
