using Microsoft.Data.SqlClient;

namespace TaskQueue.Storage.SqlServer;

/// <summary>Classifies the error numbers of SQL Server.</summary>
internal static class SqlServerFaults
{
    /// <summary>The database does not exist, or this login may not open it.</summary>
    public const int NoDatabase = 4060;

    /// <summary>
    /// Thrown by our own statements if sp_getapplock does not grant the lock, which it reports only by its return code, or if a task moves
    /// from table to table faster than it can be locked.
    /// </summary>
    public const int LockNotGranted = 51205;

    private const int Deadlock = 1205, LockTimeout = 1222, SnapshotConflict = 3960, DuplicateIndexKey = 2601, DuplicateKey = 2627;

    /// <summary>The server is unreachable, starting, failing over or busy, or a statement timed out (-2).</summary>
    public static bool IsTransient(Exception fault) => fault is SqlException sql
        && (IsRace(sql) || RefusesWrites(sql) || sql.Number is
        -2 or -1 or 0 or 2 or 20 or 53 or 64 or 121 or 233 or 258 or 596 or 701 or 921 or 926 or 983 or 3906 or 4221 or 6005
        or 1204 or 10053 or 10054 or 10060 or 10061 or 10922 or 10928 or 10929 or 10936 or 11001 or 17142 or 17143 or 17197
        or 40143 or 40197 or 40501 or 40540 or 40613 or 42108 or 42109 or 49918 or 49919 or 49920);

    /// <summary>The disk or the log is full.</summary>
    public static bool RefusesWrites(Exception fault) => fault is SqlException { Number: 1101 or 1105 or 9002 };

    /// <summary>Syntax and schema, permissions and logins, corruption.</summary>
    public static bool RefusesEverybody(Exception fault) => fault is SqlException { Number:
        102 or 156 or 207 or 208 or 213 or 2812 or 229 or 230 or 262 or 297 or 300 or 916 or NoDatabase or 18456
        or 823 or 824 or 825 or 945 };

    /// <summary>
    /// A deadlock victim, a lock that was not granted, a row changed under a snapshot, or two transactions that promoted the first task of
    /// an ordering key.
    /// </summary>
    public static bool IsRace(Exception fault) => fault is SqlException sql
        && (sql.Number is Deadlock or LockTimeout or SnapshotConflict or LockNotGranted || IsDuplicateOf(sql, TaskDbContext.HeadIndex));

    /// <summary>
    /// Whether a row violates the given unique index. Messages quote its name; connections request English messages, as other languages
    /// quote differently.
    /// </summary>
    public static bool IsDuplicateOf(SqlException fault, string index) =>
        IsDuplicate(fault) && fault.Message.Contains($"'{index}'", StringComparison.Ordinal);

    /// <summary>Whether a row violates any unique index.</summary>
    public static bool IsDuplicate(Exception fault) => fault is SqlException { Number: DuplicateIndexKey or DuplicateKey };
}
