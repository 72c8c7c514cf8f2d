using System.Reflection;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Storage.Postgres;
using TaskQueue.Storage.Sqlite;
using TaskQueue.Storage.SqlServer;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit.SqlServer;

/// <summary>
/// The statements of the three providers side by side, by operation: which columns they write, which rows they delete, which
/// states they query, and which columns they name at all.
/// </summary>
public sealed class ProvidersTests
{
    /// <summary>An operation of the stores, with the names of its statements on PostgreSQL, SQLite and SQL Server.</summary>
    private static readonly (string Verb, string Postgres, string Sqlite, string SqlServer)[] Verbs =
    [
        ("Claim", "ClaimSql", "DueSql ClaimRowSql AppendSql", "ClaimSql"),
        ("ClaimTogether", "LockTargetsSql LockLimitsSql LimitedClaimSql StrictClaimSql",
            "DueSql ClaimRowSql AppendSql IsLockedSql LockSql RunningSql BucketSql SpendSql",
            "LockTargetSql LockLimitsSql LimitedClaimSql StrictClaimSql"),
        ("Unlock", "UnlockSql", "UnlockSql", "UnlockSql"),
        ("NextDue", "NextDueSql", "NextDueSql", "NextDueSql"),
        ("Insert", "InsertWithEventsSql", "InsertTaskSql AppendSql", "InsertWithEventsSql"),
        ("InsertOrdered", "InsertTasksSql ExistingSql HoldersSql OverwriteSql", "InsertTaskSql ExistingSql HolderSql OverwriteSql",
            "InsertTasksSql ExistingSql HoldersSql OverwriteSql"),
        ("TakeTick", "TakeTickSql", "TakeTickSql", "TakeTickSql"),
        ("TakeLines", "TakeLinesSql BadLinesSql", "TakeLinesSql BadLinesSql", "TakeLinesSql BadLinesSql"),
        ("Load", "LoadSql", "LoadSql", "LoadSql"),
        ("Save", "UpdateSql", "UpdateSql", "UpdateSql"),
        ("Append", "AppendSql CountSql CountLinesSql", "AppendSql CountSql CountLinesSql", "AppendSql CountSql CountLinesSql"),
        ("AddCallbacks", "AddCallbacksSql", "AddCallbacksSql", "AddCallbacksSql"),
        ("Evict", "EvictSql", "EvictSql", "EvictSql"),
        ("Promote", "LockHeadsSql BlockSql PromoteSql HeadlessSql", "BlockSql PromoteSql", "LockOrderingKeysSql PromoteSql"),
        ("Adopt", "AdoptSql", "AdoptSql", "AdoptSql"),
        ("ApplyLimits", "AddLimitSql LimitRunningSql", "AddLimitSql LimitRunningSql", "AddLimitSql LimitRunningSql"),
        ("Rearm", "RearmSql", "RearmSql", "RearmSql"),
        ("Purge", "PurgeSql CancelledEventsSql", "PurgedSql CancelAllSql CancelledEventsSql DropDeadLettersSql",
            "PurgeSql CancelledEventsSql"),
        ("Reset", "FillBucketSql ForgetCountsSql", "FillBucketSql ForgetCountsSql", "FillBucketSql ForgetCountsSql"),
        ("Stats", "StatsSql", "StatsSql", "StatsSql"),
        ("RemoveDeleted", "RemoveSql", "RemoveSql RemoveEventsSql RemoveTaskSql", "RemoveSql"),
        ("FollowClock", "FollowLeasesSql FollowDuesSql", "FollowLeasesSql FollowDuesSql", "FollowLeasesSql FollowDuesSql"),
        ("RedispatchAll", "RedispatchSql", "RedispatchSql", "RedispatchSql"),
        ("LoadCursors", "LoadCursorsSql", "LoadCursorsSql", "LoadCursorsSql"),
        ("SaveCursors", "SaveCursorsSql", "SaveCursorsSql", "SaveCursorsSql"),
        ("EndOfEvents", "EndOfEventsSql", "EndOfEventsSql", "EndOfEventsSql"),
        ("ReadEvents", "ReadEventsSql", "ReadEventsSql", "ReadEventsSql"),
        ("ReadForDispatch", "ReadForDispatchSql", "ReadForDispatchSql", "ReadForDispatchSql"),
        ("ReadBacklog", "BacklogSql OutboxSql FinishedSql", "BacklogSql OutboxSql FinishedSql", "BacklogSql OutboxSql FinishedSql"),
        ("TakeCallbacks", "TakeCallbacksSql", "DueCallbacksSql TakeCallbackSql", "TakeCallbacksSql"),
        ("SettleCallback", "SettleCallbackSql", "SettleCallbackSql", "SettleCallbackSql"),
        ("NextCallback", "NextCallbackSql", "NextCallbackSql", "NextCallbackSql"),
        ("RemoveCallbacks", "RemoveCallbacksSql", "RemoveCallbacksSql", "RemoveCallbacksSql"),
    ];

    /// <summary>
    /// SQL Server only: locks, the outbox dispatcher's query, and the sweeps, whose column and condition are one text in each provider.
    /// </summary>
    private const string Others =
        "LeadSql LookSql LockStreamSql LockDeadLettersSql SelectDispatchSql SelectExpiredLeasesSql SelectExpiredSql NextDispatchSql "
            + "NextExpiredLeaseSql NextExpiredSql";

    /// <summary>SQLite appends every event with one statement, which has the columns of all.</summary>
    private const string AnyEvent = "insert task_events: at, attempt, dispatch, due_at, error, frees, queue, stream, task_id, tier, type, "
        + "worker";

    private const string Started = "insert task_events: at, attempt, dispatch, frees, queue, stream, task_id, tier, type, worker";

    private const string Submitted = "insert task_events: at, attempt, dispatch, due_at, frees, queue, stream, task_id, tier, type";

    /// <summary>
    /// What the statements of one provider have for an operation and those of PostgreSQL do not ("+"), or the other way round ("-").
    /// </summary>
    private static readonly Dictionary<(string Provider, string Verb), string[]> Known = new()
    {
        [("SQLite", "Claim")] = [$"+ {AnyEvent}", $"- {Started}"],
        [("SQLite", "ClaimTogether")] = [$"+ {AnyEvent}", $"- {Started}"],
        [("SQLite", "Insert")] = [$"+ {AnyEvent}", $"- {Submitted}"],
        // There is no "on conflict": an insert looks for the holder of a key itself, and a lock is removed and created again.
        [("SQL Server", "Insert")] = ["+ ask state in (3, 4, 7)"],
        [("SQL Server", "ClaimTogether")] = ["+ delete queue_locks", "- update queue_locks: attempt, task_id, until"],
    };

    public static TheoryData<string> Names() => [.. Verbs.Select(v => v.Verb)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_statement_has_the_same_effects_on_every_database(string name)
    {
        var (verb, postgres, sqlite, sqlServer) = Verbs.Single(v => v.Verb == name);
        var expected = Of(typeof(PostgresTaskStore), postgres);

        Difference(expected, Of(typeof(SqlServerTaskStore), sqlServer))
            .ShouldBe(Known.GetValueOrDefault(("SQL Server", verb), []), ignoreOrder: true);
        Difference(expected, Of(typeof(SqliteTaskStore), sqlite))
            .ShouldBe(Known.GetValueOrDefault(("SQLite", verb), []), ignoreOrder: true);
    }

    [Fact]
    public void Every_SQL_Server_statement_belongs_to_a_store_method() =>
        Texts(typeof(SqlServerTaskStore)).Keys.Where(name => name.EndsWith("Sql", StringComparison.Ordinal))
            .ShouldBe(Verbs.SelectMany(v => v.SqlServer.Split(' ')).Concat(Others.Split(' ')).Distinct(), ignoreOrder: true);

    [Fact]
    public void Files_of_statements_have_the_same_names()
    {
        string[] postgres = FilesOf("Postgres"), sqlServer = FilesOf("SqlServer"), sqlite = FilesOf("Sqlite");

        postgres.Except(sqlServer).ShouldBe(["PostgresTaskStore.cs"]);
        // With one connection at a time inserts need no order, and its limits are code.
        sqlite.Except(postgres).ShouldBe(["Limits.cs", "SqliteTaskStore.cs"]);
    }

    /// <summary>The files of a provider's store.</summary>
    private static string[] FilesOf(string provider) =>
        [.. Directory.GetFiles(Repository.FileAt("src", $"Storage.{provider}"), "*.cs")
            .Where(f => File.ReadAllText(f).Contains($"class {provider}TaskStore", StringComparison.Ordinal))
            .Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];

    private static IEnumerable<string> Difference(List<string> expected, List<string> actual) =>
        [.. actual.Except(expected).Select(e => $"+ {e}"), .. expected.Except(actual).Select(e => $"- {e}")];

    private static List<string> Of(Type store, string names)
    {
        var texts = names.Split(' ').Select(name => Texts(store)[name]).ToList();
        return [.. StatementEffects.Of(texts), .. StatementEffects.NamesOf(texts, Columns())];
    }

    private static Dictionary<string, string> Texts(Type store) =>
        store.GetFields(BindingFlags.Static | BindingFlags.NonPublic)
            .Select(f => (f.Name, Text: f.GetValue(null) switch { string text => text, Statement statement => statement.Text, _ => null }))
            .Where(f => f.Text is not null).ToDictionary(f => f.Name, f => f.Text!);

    /// <summary>Excludes the columns by which each database finds rows in its own way, and functions and lists.</summary>
    private static HashSet<string> Columns()
    {
        using var db = TestDatabase.CreateContext(DatabaseProvider.Postgres);
        string[] mechanics = ["id", "stream", "cursor", "count", "ready", "at", "number"];
        return [.. db.Model.GetEntityTypes().SelectMany(e => e.GetProperties()).Select(p => p.GetColumnName()).Except(mechanics)];
    }
}
