using Microsoft.Data.SqlClient;
using TaskQueue.Engine.Tasks;
using static TaskQueue.Storage.SqlServer.Statement;

namespace TaskQueue.Storage.SqlServer;

/// <summary>
/// Locks tasks wherever they are, and writes their transitions: rows that move from one table to another, or stay in theirs.
/// </summary>
internal sealed partial class SqlServerTaskStore
{
    /// <summary>How often a task may move while another transaction looks for it.</summary>
    private const int MaxMoves = 20;

    private static readonly Statement UpdateReadySql = UpdateOf(TaskTable.Ready), UpdateRunningSql = UpdateOf(TaskTable.Running),
        UpdateOutcomesSql = UpdateOf(TaskTable.Outcomes);

    private static readonly Statement StartSql = MoveOf(TaskTable.Ready, TaskTable.Running),
        EndReadySql = MoveOf(TaskTable.Ready, TaskTable.Outcomes), WaitSql = MoveOf(TaskTable.Running, TaskTable.Ready),
        EndSql = MoveOf(TaskTable.Running, TaskTable.Outcomes), ResumeSql = MoveOf(TaskTable.Outcomes, TaskTable.Ready);

    // A dedupe key is held by a task that waits or runs.
    private static readonly Statement HoldKeysSql = new(
        $"""
        insert into dedupe_keys (queue, dedupe_key, task_id)
        select k.queue, k.dedupe_key, k.id from {KeysOfTasks} as k order by k.queue, k.dedupe_key
        """,
        Json("@keys"));

    private static readonly Statement ReleaseKeysSql = new(
        $"""
        delete d from {KeysOfTasks} as k inner loop join dedupe_keys d {Sought} on d.queue = k.queue and d.dedupe_key = k.dedupe_key
        where d.task_id = k.id
        """,
        Json("@keys"));

    private static readonly Statement AddHistorySql = new(
        $"""
        insert into attempts (task_id, attempt, type, started_at, ended_at, due_at, resumed_at, worker, error)
        select a.task_id, a.attempt, a.type, a.started_at, a.ended_at, a.due_at, a.resumed_at, a.worker, a.error
        from {Rows.Table("@rows", "task_id binary(16)", "attempt int", "type int", "started_at datetime2(6)", "ended_at datetime2(6)",
            "due_at datetime2(6)", "resumed_at datetime2(6)", "worker nvarchar(max)", "error nvarchar(max)", "ord int")} as a
        order by a.ord
        """,
        Json("@rows"));

    private static string KeysOfTasks =>
        Rows.Table("@keys", "queue nvarchar(128)", $"dedupe_key {SqlServerTaskDbContext.ExactType}", "id binary(16)");

    /// <summary>The value of a column that the row of a task does not have.</summary>
    internal static string Missing(TaskColumn column) =>
        column.Name == "octets" ? "cast((datalength(t.payload) + coalesce(datalength(t.headers), 0)) / 2 as int)"
        : column.Name == "crashes" ? "0"
        : column.Type == typeof(bool) ? "cast(0 as bit)"
        : column.Type == typeof(DateTime) ? "cast(null as datetime2(6))"
        : $"cast(null as nvarchar(max)) collate {SqlServerTaskDbContext.Collation}";

    /// <summary>
    /// Locks the tasks of table variable @wanted, and leaves in @found in which table each of them is. The tables are searched in the
    /// direction in which most tasks move; whoever moves another way in the meantime is looked for again.
    /// </summary>
    private static string LockTasksText =>
        $"""
        declare @found table (id binary(16) primary key, place int);
        declare @looks int = 0;
        while exists (select 1 from @wanted)
        begin
        {FindText(TaskTable.Ready)}
        {FindText(TaskTable.Running)}
        {FindText(TaskTable.Outcomes)}
            delete w from @wanted w where not exists (select 1 from tasks t with (readcommittedlock, forceseek) where t.id = w.id);
            set @looks += 1;
            if @looks = {MaxMoves} and exists (select 1 from @wanted)
                throw {SqlServerFaults.LockNotGranted}, 'a task moves too fast', 1;
        end;
        """;

    private static string FindText(TaskTable table) =>
        $"""
            insert into @found {LockInOrder("@wanted", table, $"t.id, {(int)table}")};
            delete w from @wanted w inner join @found f on f.id = w.id;
        """;

    /// <summary>Reads and locks rows in id order: the ids are sorted, and a loop join seeks each by its key.</summary>
    private static string LockInOrder(string ids, TaskTable table, string columns, string? still = null) =>
        $"""
        select {columns} from (select top (2147483647) id from {ids} order by id) as i
        inner loop join {TaskMove.NameOf(table)} t {Locked} on t.id = i.id
        {(still is null ? "" : $"where {still} ")}order by i.id option (force order, maxdop 1)
        """;

    /// <summary>Selects the locked tasks of a table without their long errors, and tells which have one.</summary>
    private static string LoadFound(TaskTable table) => ReadFound(
        TaskViews.SelectLoaded(table, c => Rows.Read([c], table), text => $"datalength({text}) <= @max_error")
            + ", cast(case when datalength(r.error) > @max_error then 1 else 0 end as bit) as is_partial", table);

    /// <summary>Selects the locked tasks of a table.</summary>
    private static string ReadFound(TaskColumn[] columns, TaskTable table) => ReadFound(Rows.Read(columns, table), table);

    private static string ReadFound(string list, TaskTable table)
    {
        var cold = list.Contains("t.", StringComparison.Ordinal) ? $" inner loop join tasks t {Sought} on t.id = r.id" : "";
        return $"""
            select {list} from @found f inner loop join {TaskMove.NameOf(table)} r {Sought} on r.id = f.id{cold}
            where f.place = {(int)table};
            """;
    }

    private static TaskColumn[] ColumnsToUpdate(TaskTable table) => [TaskColumn.Id, .. TaskColumn.Changing(table)];

    private static Statement UpdateOf(TaskTable table) => new(
        $"""
        update r set {string.Join(", ", ColumnsToUpdate(table).Skip(1).Select(c => $"{c.Name} = u.{c.Name}"))}
        from {Rows.Table("@rows", ColumnsToUpdate(table))} as u inner loop join {TaskMove.NameOf(table)} r {Sought} on r.id = u.id
        """,
        Json("@rows"));

    private static Statement MoveOf(TaskTable from, TaskTable to) => new(
        $"""
        {AllOrNothing}
        delete r from {Rows.Table("@ids", "id binary(16)")} as k inner loop join {TaskMove.NameOf(from)} r {Sought} on r.id = k.id;
        insert into {TaskMove.NameOf(to)} ({TaskColumn.List(TaskColumn.Of(to))})
        select {TaskColumn.List(TaskColumn.Of(to), "u.")} from {Rows.Table("@rows", TaskColumn.Of(to))} as u order by u.id;
        """,
        Json("@ids"), Json("@rows"));

    /// <summary>Writes transitions of tasks that this transaction has locked.</summary>
    private static async Task MoveAsync(SqlConnection connection, SqlTransaction transaction, TaskMove move)
    {
        if (move.From == move.To)
        {
            await ExecuteAsync(connection, transaction, UpdateIn(move.To), Rows.Json(ColumnsToUpdate(move.To), move.Tasks));
            return;
        }

        await ExecuteAsync(connection, transaction, Between(move.From, move.To), Rows.Json(move.Tasks.Select(t => t.CorrelationId)),
            Rows.Json(TaskColumn.Of(move.To), move.Tasks));
        if ((move.From == TaskTable.Outcomes) == (move.To == TaskTable.Outcomes))
            return;
        List<TaskState> keyed = [.. move.Tasks.Where(t => t.DedupeKey is not null)];
        if (keyed.Count > 0)
        {
            var ends = move.To == TaskTable.Outcomes;
            await ExecuteAsync(connection, transaction, ends ? ReleaseKeysSql : HoldKeysSql,
                Rows.Json(keyed.Select(t => (object?[])[ends ? t.StoredQueue : t.Queue, t.DedupeKey, t.CorrelationId])));
        }
    }

    private static async Task AddHistoryAsync(SqlConnection connection, SqlTransaction transaction, IEnumerable<TaskState> tasks)
    {
        var rows = AttemptRows.Of(tasks);
        if (rows.Count > 0)
        {
            await ExecuteAsync(connection, transaction, AddHistorySql, Rows.Json(rows.Select((a, ord) => (object?[])
                [a.TaskId, a.Attempt, (int)a.End, a.StartedAt, a.EndedAt, a.DueAt, a.ResumedAt, a.Worker, a.Error, ord])));
        }
    }

    private static Statement UpdateIn(TaskTable table) => table switch
    {
        TaskTable.Ready => UpdateReadySql,
        TaskTable.Running => UpdateRunningSql,
        _ => UpdateOutcomesSql,
    };

    private static Statement Between(TaskTable from, TaskTable to) => (from, to) switch
    {
        (TaskTable.Ready, TaskTable.Running) => StartSql,
        (TaskTable.Ready, TaskTable.Outcomes) => EndReadySql,
        (TaskTable.Running, TaskTable.Ready) => WaitSql,
        (TaskTable.Running, TaskTable.Outcomes) => EndSql,
        (TaskTable.Outcomes, TaskTable.Ready) => ResumeSql,
        _ => throw new NotSupportedException($"no task moves from {from} to {to}"),
    };
}
