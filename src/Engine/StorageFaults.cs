using System.Data.Common;

namespace TaskQueue.Engine;

/// <summary>Classifies database exceptions. Each registered provider recognizes those of its own driver.</summary>
public static class StorageFaults
{
    private static readonly Lock Sync = new();
    private static volatile StorageFaultClassifier[] _classifiers = [];

    /// <summary>Registers the classifier of a provider. Idempotent for each type of classifier.</summary>
    public static void Use(StorageFaultClassifier classifier)
    {
        ArgumentNullException.ThrowIfNull(classifier);
        lock (Sync)
        {
            if (!Array.Exists(_classifiers, known => known.GetType() == classifier.GetType()))
                _classifiers = [.. _classifiers, classifier];
        }
    }

    /// <summary>Whether the database is unreachable, starting or busy: a retry may succeed.</summary>
    public static bool IsTransient(Exception fault) =>
        fault switch
        {
            BrokerSilentException => false, // whatever the inner exception
            OverloadedException or FileStoreException => true,
            DbException { IsTransient: true } => true,
            DbException other when Array.Exists(_classifiers, c => c.IsTransient(other)) => true,
            // No free connection in the pool, a command or connect timeout, a dropped connection.
            TimeoutException or System.Net.Sockets.SocketException or IOException => true,
            { InnerException: { } inner } => IsTransient(inner),
            _ => false,
        };

    /// <summary>
    /// Whether the transaction hit a concurrency conflict and succeeds on an immediate retry: a deadlock, or two transactions that promoted
    /// the same head of an ordering key.
    /// </summary>
    public static bool IsRace(Exception fault) =>
        fault switch
        {
            DbException race => Array.Exists(_classifiers, c => c.IsRace(race)),
            // A refused commit of a TransactionScope is wrapped.
            { InnerException: { } inner } => IsRace(inner),
            _ => false,
        };

    /// <summary>
    /// Whether the processed row itself may be at fault. False while the database or the broker is unreachable, while the process stops,
    /// and if the database rejects every statement: it is read-only or full, permissions are missing, or its schema has another version.
    /// </summary>
    public static bool IsOfRow(Exception fault) =>
        !IsTransient(fault) && !IsRace(fault) && fault switch
        {
            OperationCanceledException or ObjectDisposedException or OutOfMemoryException => false,
            DbException other when Array.Exists(_classifiers, c => c.RefusesEveryone(other)) => false,
            { InnerException: { } inner } => IsOfRow(inner),
            _ => true,
        };

    /// <summary>Whether the database reads but cannot write now.</summary>
    public static bool RefusesWrites(Exception fault) =>
        fault switch
        {
            DbException full when Array.Exists(_classifiers, c => c.RefusesWrites(full)) => true,
            { InnerException: { } inner } => RefusesWrites(inner),
            _ => false,
        };

    /// <summary>
    /// Whether an exception comes from the database: its driver's, or what drivers pass on when they look up its name or wait too long.
    /// Files and connections of clients also fail with an <see cref="IOException"/>; drivers wrap theirs.
    /// </summary>
    public static bool IsOfDatabase(Exception fault) =>
        fault switch
        {
            DbException or TimeoutException or System.Net.Sockets.SocketException => true,
            IOException or FileStoreException => false,
            { InnerException: { } inner } => IsOfDatabase(inner),
            _ => false,
        };
}
