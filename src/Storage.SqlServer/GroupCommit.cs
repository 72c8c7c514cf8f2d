using System.Data;
using Microsoft.Data.SqlClient;
using TaskQueue.Engine.Tasks;
using static TaskQueue.Storage.SqlServer.Statement;

namespace TaskQueue.Storage.SqlServer;

internal sealed partial class SqlServerTaskStore
{
    // Locks their ordering keys first, so that ending a head and adding a task do not deadlock.
    private static readonly Statement LoadSql = new(
        $"""
        {AllOrNothing}
        declare @wanted table (id binary(16) primary key);
        insert into @wanted select id from {Rows.Table("@ids", "id binary(16)")} as j;
        {LockOrderingKeysText($"from @wanted w inner loop join tasks k {Sought} on k.id = w.id where k.ordering_key is not null")}
        {LockInOrder("@wanted", Rows.Read(TaskColumn.Loaded, "t."))};
        """,
        Json("@ids"));

    private static readonly Statement UpdateSql = UpdateOf(TaskColumn.Changed);

    private static readonly Statement AppendSql = new(
        $"""
        insert into task_events (stream, task_id, type, queue, tier, attempt, worker, error, at, due_at, dispatch, frees)
        select @stream, e.task_id, e.type, e.queue, e.tier, e.attempt, e.worker, e.error, e.at, e.due_at, e.dispatch, e.frees
        from {Rows.Table("@events", "task_id binary(16)", "type int", "queue nvarchar(128)", "tier int", "attempt int",
            "worker nvarchar(max)", "error nvarchar(max)",
            "at datetime2(6)", "due_at datetime2(6)", "dispatch bit", "frees bit", "ord int")} as e
        order by e.ord
        """,
        Int("@stream"), Json("@events"));

    // Only the holder of the partition's lock changes these rows, so no other transaction comes between the two statements.
    private static readonly Statement CountSql = new(
        $"""
        {AllOrNothing}
        declare @counts table (queue nvarchar(128) collate {SqlServerTaskDbContext.Collation}, tier int, type int, count bigint,
            primary key (queue, tier, type));
        insert into @counts select queue, tier, type, count
            from {Rows.Table("@rows", "queue nvarchar(128)", "tier int", "type int", "count bigint")} as r;
        update c set count = c.count + n.count from @counts n
        inner loop join queue_counts c {Sought} on c.queue = n.queue and c.tier = n.tier and c.stream = @stream and c.type = n.type;
        insert into queue_counts (queue, tier, stream, type, count)
        select n.queue, n.tier, @stream, n.type, n.count from @counts n
        where not exists (select 1 from queue_counts c with (forceseek) where c.queue = n.queue and c.tier = n.tier and c.stream = @stream
            and c.type = n.type);
        """,
        Int("@stream"), Json("@rows"));

    private static readonly Statement CountLinesSql = new(
        $"""
        {AllOrNothing}
        declare @counts table (batch_id binary(16), line_end int, count int, primary key (batch_id, line_end));
        insert into @counts select batch_id, line_end, count
            from {Rows.Table("@rows", "batch_id binary(16)", "line_end int", "count int")} as r;
        update c set count = c.count + n.count from @counts n
        inner loop join batch_counts c {Sought} on c.batch_id = n.batch_id and c.stream = @stream and c.line_end = n.line_end;
        insert into batch_counts (batch_id, stream, line_end, count)
        select n.batch_id, @stream, n.line_end, n.count from @counts n
        where not exists (select 1 from batch_counts c with (forceseek) where c.batch_id = n.batch_id and c.stream = @stream
            and c.line_end = n.line_end);
        """,
        Int("@stream"), Json("@rows"));

    private static readonly Statement AddCallbacksSql = new(
        $"""
        insert into callbacks (subject_id, url, body, state, attempts, due_at, log, created_at, owner, origin)
        select o.subject_id, o.url, o.body, 0, 0, o.at, N'[]', o.at, o.owner, o.origin
        from {Rows.Table("@owed", "subject_id binary(16)", "url nvarchar(max)", "body nvarchar(max)", "at datetime2(6)", Owner,
            Origin)} as o
        """,
        Json("@owed"));

    // Two concurrent transactions would not see each other's dead letter: each waits for the commit of the previous one before it writes
    // its own.
    private static readonly Statement LockDeadLettersSql = new(TakeLock("concat(N'taskqueue:letters:', @queue)"), Queue("@queue"));

    private static readonly Statement EvictSql = new(
        $"""
        {AllOrNothing}
        declare @old table (id binary(16) primary key);
        insert into @old
        select id from tasks {Newest} where queue = @queue and dead = 1 and delete_at > @now
            order by finished_at desc, id desc offset @max rows;
        update t set delete_at = @now, dead = 0 from @old o inner loop join tasks t {Sought} on t.id = o.id where t.dead = 1;
        """,
        Queue("@queue"), Int("@max"), Time("@now"));

    /// <summary>Reads and locks rows in id order: the ids are sorted, and a loop join seeks each by its key.</summary>
    private static string LockInOrder(string ids, string columns, string? still = null) =>
        $"""
        select {columns} from (select top (2147483647) id from {ids} order by id) as i inner loop join tasks t {Locked} on t.id = i.id
        {(still is null ? "" : $"where {still} ")}order by i.id option (force order, maxdop 1)
        """;

    public async Task<ITaskSession> BeginAsync()
    {
        var connection = await OpenAsync();
        try
        {
            return new Session(connection, (SqlTransaction)await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted));
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    private static Statement UpdateOf(TaskColumn[] columns) => new(
        $"""
        update t set {string.Join(", ", columns.Select(c => $"{c.Name} = u.{c.Name}"))}
        from {Rows.Table("@rows", [TaskColumn.Id, .. columns])} as u inner loop join tasks t {Sought} on t.id = u.id
        """,
        Json("@rows"));

    private static string UpdateRows(TaskColumn[] columns, IReadOnlyList<TaskState> tasks) => Rows.Json([TaskColumn.Id, .. columns], tasks);

    /// <summary>
    /// Locks a partition, then appends the events to it and counts the completions among them. Must be the last step before a commit.
    /// </summary>
    private static async Task AppendAsync(SqlConnection connection, SqlTransaction transaction, IReadOnlyList<TaskEvent> events)
    {
        if (events.Count == 0)
            return;
        var stream = PickStream();
        await ExecuteAsync(connection, transaction, LockStreamSql, stream);
        var written = events.Where(e => e.IsWritten).ToList();
        if (written.Count > 0)
        {
            await ExecuteAsync(connection, transaction, AppendSql, stream, Rows.Json(written.Select((e, ord) => (object?[])
                [
                    e.TaskId, (int)e.Type, e.Queue, e.Tier, e.Attempt, e.Worker, e.Error, e.At, e.DueAt, e.Dispatch, e.ReleasesCapacity,
                    ord,
                ])));
        }

        var ends = events.Where(e => TaskEvent.IsTerminal(e.Type)).CountBy(e => (e.Queue, e.Tier, e.Type)).ToList();
        if (ends.Count > 0)
            await ExecuteAsync(connection, transaction, CountSql, stream,
                Rows.Json(ends.Select(c => (object?[])[c.Key.Queue, c.Key.Tier, (int)c.Key.Type, (long)c.Value])));
        var lines = events.Where(e => e.Line is not null).CountBy(e => e.Line!.Value).ToList();
        if (lines.Count > 0)
            await ExecuteAsync(connection, transaction, CountLinesSql, stream,
                Rows.Json(lines.Select(c => (object?[])[c.Key.Batch, (int)c.Key.End, c.Value])));
    }

    private sealed class Session(SqlConnection connection, SqlTransaction transaction) : ITaskSession
    {
        public async Task<Dictionary<Guid, TaskState>> LoadAsync(IReadOnlyList<Guid> ids) =>
            (await ReadAsync(connection, transaction, LoadSql, r => TaskColumn.ReadRow(TaskColumn.Loaded, r), Rows.Json(ids.Distinct())))
                .ToDictionary(t => t.CorrelationId);

        public async Task SaveAsync(IReadOnlyList<TaskState> inserts, IReadOnlyList<TaskState> updates)
        {
            try
            {
                await WriteAsync(inserts, updates);
                await transaction.CommitAsync();
            }
            catch (SqlException taken) when (SqlServerFaults.IsDuplicateOf(taken, "PK_tasks"))
            {
                throw new TaskIdTakenException();
            }
            catch (SqlException taken) when (SqlServerFaults.IsDuplicateOf(taken, TaskDbContext.DedupeIndex))
            {
                throw new DedupeKeyTakenException(taken);
            }
        }

        private async Task WriteAsync(IReadOnlyList<TaskState> inserts, IReadOnlyList<TaskState> updates)
        {
            List<TaskState> full = [.. TaskChanges.FullQueues(updates)];
            foreach (var letter in full)
                await ExecuteAsync(connection, transaction, LockDeadLettersSql, letter.Queue);
            if (inserts.Count > 0
                && (await ReadAsync(connection, transaction, InsertTasksSql, r => StoredValue.Id(r, 0), Rows.Json(TaskColumn.All, inserts)))
                    .Count < inserts.Count)
                throw new TaskIdTakenException();
            if (updates.Count > 0)
                await ExecuteAsync(connection, transaction, UpdateSql, UpdateRows(TaskColumn.Changed, updates));
            var dueCallbacks = TaskChanges.DueCallbacks(updates);
            if (dueCallbacks.Count > 0)
                await ExecuteAsync(connection, transaction, AddCallbacksSql,
                    Rows.Json(dueCallbacks.Select(o => (object?[])[o.SubjectId, o.Url, o.Body, o.At, o.Owner, o.Origin])));
            foreach (var letter in full)
                await ExecuteAsync(connection, transaction, EvictSql, letter.Queue, letter.Settings.DeadLetters.MaxSize,
                    letter.FinishedAt!.Value);
            await PromoteAsync(connection, transaction, TaskChanges.Promotable(updates));
            await AppendAsync(connection, transaction, [.. inserts.Concat(updates).SelectMany(t => t.Events)]);
        }

        public async ValueTask DisposeAsync()
        {
            await transaction.DisposeAsync();
            await connection.DisposeAsync();
        }
    }
}
