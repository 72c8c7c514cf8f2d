using System.Data.Common;

namespace TaskQueue.Engine;

/// <summary>Classifies failures of the database. Each registered provider recognizes the exceptions of its own driver.</summary>
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

    /// <summary>Whether the database is away, starting, or busy: the same call may succeed later.</summary>
    public static bool IsTransient(Exception fault) =>
        fault switch
        {
            BrokerSilentException => false, // whatever is inside
            OverloadedException => true,
            DbException { IsTransient: true } => true,
            DbException other when Array.Exists(_classifiers, c => c.IsTransient(other)) => true,
            // A pool without a free connection, a command or connect that took too long, a connection cut in the middle.
            TimeoutException or System.Net.Sockets.SocketException or IOException => true,
            { InnerException: { } inner } => IsTransient(inner),
            _ => false,
        };

    /// <summary>
    /// Whether the transaction lost a race and succeeds when it is retried at once: a deadlock, or two transactions that chose the same
    /// head of an ordering key.
    /// </summary>
    public static bool IsRace(Exception fault) => fault is DbException race && Array.Exists(_classifiers, c => c.IsRace(race));

    /// <summary>
    /// Whether the processed row itself may be to blame. False while the database or the broker is away, while the process stops, and where
    /// the
    /// database refuses every statement: it is read-only or full, permissions are missing, or its schema has another version.
    /// </summary>
    public static bool IsOfRow(Exception fault) =>
        !IsTransient(fault) && !IsRace(fault) && fault switch
        {
            OperationCanceledException or ObjectDisposedException or OutOfMemoryException => false,
            DbException other when Array.Exists(_classifiers, c => c.RefusesEveryone(other)) => false,
            { InnerException: { } inner } => IsOfRow(inner),
            _ => true,
        };
}
