using System.Data.Common;
using Microsoft.Data.Sqlite;
using Npgsql;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Engine.Quarantine;

/// <summary>Which failures are the fault of the row that was processed.</summary>
internal static class PoisonRules
{
    private const int MaxReason = 2000;

    /// <summary>
    /// Whether the row itself may be to blame. Not where the database or the broker is away, the process stops, or the database refuses
    /// everybody: read-only, full, without rights, or of another version.
    /// </summary>
    public static bool IsOfRow(Exception fault) =>
        !StorageFaults.IsTransient(fault) && !StorageFaults.IsRace(fault) && fault switch
        {
            OperationCanceledException or ObjectDisposedException or OutOfMemoryException => false,
            // Classes: connection, transaction state, authorization, catalog, syntax or access rule, resources, object state, operator, system.
            PostgresException { SqlState: ['0', '8', ..] or ['2', '5' or '6' or '8', ..] or ['3', 'D', ..] or ['4', '2', ..] or ['5', '3' or '5' or '7' or '8', ..] } => false,
            // Error in SQL, rights, read-only, I/O, corrupt, full, cannot open, schema, not a database.
            SqliteException { SqliteErrorCode: 1 or 3 or 8 or 10 or 11 or 13 or 14 or 17 or 23 or 26 } => false,
            DbException other when SqlServerAssembly.Loaded?.RefusesEverybody(other) == true => false,
            { InnerException: { } inner } => IsOfRow(inner),
            _ => true,
        };

    /// <summary>The reason of a failure as it can be stored.</summary>
    public static string Reason(Exception fault)
    {
        var inner = fault.GetBaseException();
        return Cut(TextRules.Clean($"{inner.GetType().Name}: {inner.Message}")!, MaxReason);
    }

    private static string Cut(string text, int length) =>
        text.Length <= length ? text : text[..(char.IsHighSurrogate(text[length - 1]) ? length - 1 : length)];

    /// <summary>A reason of any length as it can be stored.</summary>
    public static string Fit(string reason) => Cut(TextRules.Clean(reason)!, MaxReason);
}
