using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Engine.Bulk;
using TaskQueue.Engine.Statistics;
using TaskQueue.Engine.Workers;
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
        ("Claim", "ClaimSql", "DueSql ClaimRowSql LeaveSql.Ready AppendSql", "ClaimSql AppendSql"),
        ("ClaimTogether", "LockTargetsSql LockLimitsSql LimitedClaimSql StrictClaimSql",
            "DueSql ClaimRowSql LeaveSql.Ready AppendSql IsLockedSql LockSql RunningSql BucketSql SpendSql",
            "LockTargetSql LockLimitsSql LimitedClaimSql StrictClaimSql AppendSql"),
        ("Unlock", "UnlockSql", "UnlockSql", "UnlockSql"),
        ("NextDue", "NextDueSql", "NextDueSql", "NextDueSql"),
        ("Insert", "Inserts.Write", "InsertTaskSql EnterSql.Ready InsertTagSql AppendSql", "InsertWithEventsSql"),
        ("InsertInGroup", "Inserts.Write", "InsertTaskSql EnterSql.Ready InsertTagSql AppendSql", "InsertNewSql AppendSql"),
        ("InsertOrdered",
            "Inserts.TakeKeys Inserts.WriteNew ReleaseKeysSql ExistingSql HoldersSql OverwriteTasksSql OverwriteReadySql "
                + "Moves.WriteHistory OutboxWrites.Append",
            "TakeKeySql InsertTaskSql EnterSql.Ready InsertTagSql ReleaseKeySql ExistingSql HolderSql OverwriteTaskSql OverwriteReadySql "
                + "HistorySql AppendSql",
            "InsertTasksSql ExistingSql HoldersSql OverwriteTasksSql OverwriteReadySql AddHistorySql AppendSql"),
        ("TakeTick", "TakeTickSql", "TakeTickSql", "TakeTickSql"),
        ("TakeLines", "TakeLinesSql BadLinesSql", "TakeLinesSql BadLinesSql", "TakeLinesSql BadLinesSql"),
        ("Load", "LoadSql", "LoadSql", "LoadSql"),
        ("StayReady", "Ready>Ready", "StaySql.Ready", "UpdateReadySql"),
        ("StayRunning", "Running>Running", "StaySql.Running", "UpdateRunningSql"),
        ("StayEnded", "Outcomes>Outcomes", "StaySql.Outcomes", "UpdateOutcomesSql"),
        ("Start", "Ready>Running", "LeaveSql.Ready EnterSql.Running", "StartSql"),
        ("EndWaiting", "Ready>Outcomes", "LeaveSql.Ready EnterSql.Outcomes", "EndReadySql"),
        ("Wait", "Running>Ready", "LeaveSql.Running EnterSql.Ready", "WaitSql"),
        ("End", "Running>Outcomes", "LeaveSql.Running EnterSql.Outcomes", "EndSql"),
        ("Resume", "Outcomes>Ready", "LeaveSql.Outcomes EnterSql.Ready", "ResumeSql"),
        ("Save", "Moves.Write",
            "StaySql.Ready StaySql.Running StaySql.Outcomes LeaveSql.Ready LeaveSql.Running LeaveSql.Outcomes EnterSql.Ready "
                + "EnterSql.Running EnterSql.Outcomes TakeKeySql ReleaseKeySql HistorySql AddCallbacksSql AppendSql CountSql CountItemsSql",
            "UpdateReadySql UpdateRunningSql UpdateOutcomesSql StartSql EndReadySql WaitSql EndSql ResumeSql HoldKeysSql ReleaseKeysSql "
                + "AddHistorySql AddCallbacksSql AppendSql CountSql CountItemsSql"),
        ("Evict", "EvictSql", "EvictSql", "EvictSql"),
        ("Promote", "LockKeysSql BlockSql PromoteSql HeadlessSql ForgetKeysSql", "BlockSql PromoteSql", "LockOrderingKeysSql PromoteSql"),
        ("Adopt", "AdoptSql", "AdoptTasksSql AdoptSql", "AdoptSql"),
        ("ApplyLimits", "AddLimitSql LimitRunningSql", "AddLimitSql LimitRunningSql", "AddLimitSql LimitRunningSql"),
        ("Rearm", "RearmSql", "RearmSql", "RearmSql"),
        ("Purge", "PurgeSql OutboxWrites.Append",
            "PurgedSql CancelWaitingSql CancelRunningSql LeaveWaitingSql LeaveRunningSql DropDeadLettersSql ReleaseKeySql AppendSql",
            "PurgeSql AppendSql"),
        ("Reset", "FillBucketSql ForgetCountsSql", "FillBucketSql ForgetCountsSql", "FillBucketSql ForgetCountsSql"),
        ("Stats", "StatsSql", "StatsSql", "StatsSql"),
        ("RemoveDeleted", "RemoveSql CountExpiredSql",
            "RemoveSql RemoveTagSql RemoveHistorySql RemoveLogsSql RemoveOutcomeSql RemoveTaskSql CountSql", "RemoveSql CountSql"),
        ("FollowClock", "FollowLeasesSql FollowDuesSql", "FollowLeasesSql FollowDuesSql", "FollowLeasesSql FollowDuesSql"),
        ("RedispatchAll", "RedispatchSql", "RedispatchSql", "RedispatchSql"),
        ("LoadOffsets", "LoadOffsetsSql", "LoadOffsetsSql", "LoadOffsetsSql"),
        ("SaveOffsets", "OutboxLease.SaveOffsetsSql", "SaveOffsetsSql", "SaveOffsetsSql"),
        ("EndOfEvents", "EndOfEventsSql", "EndOfEventsSql", "EndOfEventsSql"),
        ("ReadEvents", "ReadEventsSql", "ReadEventsSql", "ReadEventsSql"),
        ("RemovePublished", "RemovePublishedSql", "RemovePublishedSql", "RemovePublishedSql"),
        ("ReadForDispatch", "ReadForDispatchSql", "ReadForDispatchSql", "ReadForDispatchSql"),
        ("ReadBacklog", "BacklogSql OutboxSql FinishedSql", "BacklogSql OutboxSql FinishedSql", "BacklogSql OutboxSql FinishedSql"),
        ("TakeCallbacks", "TakeCallbacksSql", "DueCallbacksSql TakeCallbackSql", "TakeCallbacksSql"),
        ("SettleCallback", "SettleCallbackSql", "SettleCallbackSql", "SettleCallbackSql"),
        ("NextCallback", "NextCallbackSql", "NextCallbackSql", "NextCallbackSql"),
        ("RemoveCallbacks", "RemoveCallbacksSql", "RemoveCallbacksSql", "RemoveCallbacksSql"),
        ("WriteWorkers", "WriteWorkersSql", "WriteWorkersSql", "WriteWorkersSql"),
        ("AddCounts", "AddCountsSql", "AddCountsSql", "AddCountsSql"),
        ("AddLogs", "AddLogsSql", "AddLogsSql", "AddLogsSql"),
        ("LoadPayloads", "PayloadsSql", "PayloadsSql", "PayloadsSql"),
        ("ChangePayloads", "ChangePayloadsSql", "ChangePayloadSql ChangeOctetsSql", "ChangePayloadsSql"),
        ("ChangeQueues", "ChangeQueuesSql", "ChangeQueueSql ChangeReadySql TagsSql ChangeTagSql", "ChangeQueuesSql"),
        ("ChangeKeys", "ChangeKeysSql", "ChangeKeySql", "ChangeKeysSql"),
    ];

    /// <summary>
    /// SQL Server only: locks, the outbox dispatcher's query, and the sweeps, whose column and condition are one text in each provider.
    /// </summary>
    private const string Others =
        "LeadSql LookSql LockPartitionSql LockDeadLettersSql SelectDispatchSql SelectExpiredLeasesSql SelectExpiredSql NextDispatchSql "
            + "NextExpiredLeaseSql NextExpiredSql";

    /// <summary>
    /// What the statements of one provider have for an operation and those of PostgreSQL do not ("+"), or the other way round ("-").
    /// </summary>
    private static readonly Dictionary<(string Provider, string Verb), string[]> Known = new()
    {
        // There is no "on conflict" that updates: a lock is removed and created again.
        [("SQL Server", "ClaimTogether")] = ["+ delete queue_locks", "- update queue_locks: attempt, task_id, until"],
        // A key is taken together with its task, so none is left without.
        [("SQL Server", "InsertOrdered")] = ["- delete dedupe_keys"],
        // Blocked tasks are read through their index.
        [("SQL Server", "ReadBacklog")] = ["+ name ordering_key"],
        [("SQLite", "ReadBacklog")] = ["+ name ordering_key"],
        // They have no row of the lease.
        [("SQL Server", "SaveOffsets")] = ["- name holder", "- name lease_epoch"],
        [("SQLite", "SaveOffsets")] = ["- name holder", "- name lease_epoch"],
        // Counts are locked in the order in which transactions count.
        [("SQL Server", "Reset")] = ["- name owner", "- name tier", "- name type"],
        [("SQLite", "Reset")] = ["- name owner", "- name tier", "- name type"],
        // The lock of an ordering key is no row.
        [("SQL Server", "Promote")] = OrderingKeyRows,
        [("SQLite", "Promote")] = OrderingKeyRows,
    };

    private static string[] OrderingKeyRows =>
        ["- delete ordering_keys", "- insert ordering_keys: ordering_key, queue", "- update ordering_keys: queue"];

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
        StoreStatements.Of(typeof(SqlServerTaskStore)).Keys.Where(name => name.EndsWith("Sql", StringComparison.Ordinal))
            .ShouldBe(Verbs.SelectMany(v => v.SqlServer.Split(' ')).Concat(Others.Split(' ')).Distinct(), ignoreOrder: true);

    [Fact]
    public void Files_of_statements_have_the_same_names()
    {
        // What one of them has as a class of its own may be a part of the store of another.
        var postgres = FilesOf("Postgres").Select(f => Path.GetFileName(f)).ToList();

        StoreFilesOf("Postgres").Except(StoreFilesOf("SqlServer")).ShouldBe(["PostgresTaskStore.cs"]);
        StoreFilesOf("SqlServer").Except(postgres).ShouldBe(["SqlServerTaskStore.cs"]);
        // With one connection at a time inserts need no order, and its limits are code.
        StoreFilesOf("Sqlite").Except(postgres).ShouldBe(["Limits.cs", "SqliteTaskStore.cs"]);
    }

    /// <summary>The files of a provider's store.</summary>
    private static List<string> StoreFilesOf(string provider) =>
        [.. FilesOf(provider).Where(f => File.ReadAllText(f).Contains($"class {provider}TaskStore", StringComparison.Ordinal))
            .Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];

    private static string[] FilesOf(string provider) => Directory.GetFiles(Repository.FileAt("src", $"Storage.{provider}"), "*.cs");

    private static IEnumerable<string> Difference(List<string> expected, List<string> actual) =>
        [.. actual.Except(expected).Select(e => $"+ {e}"), .. expected.Except(actual).Select(e => $"- {e}")];

    private static List<string> Of(Type store, string names)
    {
        var texts = names.Split(' ').Select(name => StoreStatements.Of(store)[name]).ToList();
        return [.. StatementEffects.Of(texts), .. StatementEffects.NamesOf(texts, Columns())];
    }

    /// <summary>
    /// Excludes the columns by which each database finds rows in its own way, functions and lists, and names that statements also give to
    /// something else.
    /// </summary>
    private static HashSet<string> Columns()
    {
        using var db = TestDatabase.CreateContext(DatabaseProvider.Postgres);
        string[] mechanics = ["id", "partition_id", "count", "ready", "at", "number", "before", "version"];
        return [.. db.Model.GetEntityTypes().Where(e => e.ClrType != typeof(StatisticsRow) && e.ClrType != typeof(WorkerRecord)
                && e.ClrType != typeof(BulkOperation) && e.ClrType != typeof(BulkOperationTask))
            .SelectMany(e => e.GetProperties()).Select(p => p.GetColumnName()).Except(mechanics)];
    }
}
