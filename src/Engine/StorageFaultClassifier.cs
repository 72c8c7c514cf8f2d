using System.Data.Common;

namespace TaskQueue.Engine;

/// <summary>Classifies the exceptions of one database driver; returns false for those of others. See <see cref="StorageFaults"/>.</summary>
public abstract class StorageFaultClassifier
{
    /// <summary>Whether the database is away, starting, or busy, where <see cref="DbException.IsTransient"/> does not say so.</summary>
    public abstract bool IsTransient(DbException fault);

    /// <summary>Whether the transaction lost a race and succeeds when it is retried at once.</summary>
    public abstract bool IsRace(DbException fault);

    /// <summary>
    /// Whether the database refuses every caller, whatever the row: it is full, damaged or read-only, permissions are missing, or its
    /// schema has another version.
    /// </summary>
    public abstract bool RefusesEveryone(DbException fault);
}
