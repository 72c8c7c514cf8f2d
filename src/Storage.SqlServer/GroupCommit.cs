using System.Collections.Frozen;
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
        {LockTasksText}
        {LoadFound(TaskTable.Ready)}
        {LoadFound(TaskTable.Running)}
        {LoadFound(TaskTable.Outcomes)}
        """,
        Json("@ids"), Int("@max_error"));

    private static readonly Statement AppendSql = new($"{AllOrNothing}\n{AppendText}", Int("@partition"), Json("@events"));

    // The partition is locked before the first row draws its id. The lists are JSON of their own, which only the reader of the row parses.
    private static string AppendText =>
        $"""
        {LockPartitionText}
        insert into outbox (partition_id, at, type, queue, tier, worker, dispatch, frees, ids, attempts, earlier, due_times, errors)
        select @partition, e.at, e.type, e.queue, e.tier, e.worker, e.dispatch, e.frees, e.ids, e.attempts, e.earlier, e.due_times, e.errors
        from {Rows.Table("@events", "at datetime2(6)", "type int", "queue nvarchar(128)", "tier int", "worker nvarchar(max)",
            "dispatch bit", "frees bit", "ids nvarchar(max)", "attempts nvarchar(max)", "earlier nvarchar(max)",
            "due_times nvarchar(max)", "errors nvarchar(max)",
            "ord int")} as e
        order by e.ord;
        """;

    // Only the holder of the partition's lock changes these rows, so no other transaction comes between the two statements.
    private static readonly Statement CountSql = new(
        $"""
        {AllOrNothing}
        declare @counts table (queue nvarchar(128) collate {SqlServerTaskDbContext.Collation}, tier int, type int,
            owner {SqlServerTaskDbContext.ExactType}, count bigint, primary key (queue, tier, type, owner));
        insert into @counts select queue, tier, type, owner, count
            from {Rows.Table("@rows", "queue nvarchar(128)", "tier int", "type int", $"owner {SqlServerTaskDbContext.ExactType}",
                "count bigint")} as r;
        update c set count = c.count + n.count from @counts n
        inner loop join queue_counts c {Sought} on c.queue = n.queue and c.tier = n.tier and c.partition_id = @partition
            and c.type = n.type and c.owner = n.owner;
        insert into queue_counts (queue, tier, partition_id, type, owner, count)
        select n.queue, n.tier, @partition, n.type, n.owner, n.count from @counts n
        where not exists (select 1 from queue_counts c with (forceseek) where c.queue = n.queue and c.tier = n.tier
            and c.partition_id = @partition and c.type = n.type and c.owner = n.owner);
        """,
        Int("@partition"), Json("@rows"));

    private static readonly Statement CountItemsSql = new(
        $"""
        {AllOrNothing}
        declare @counts table (batch_id binary(16), line_end int, count int, primary key (batch_id, line_end));
        insert into @counts select batch_id, line_end, count
            from {Rows.Table("@rows", "batch_id binary(16)", "line_end int", "count int")} as r;
        update c set count = c.count + n.count from @counts n
        inner loop join batch_counts c {Sought} on c.batch_id = n.batch_id and c.partition_id = @partition and c.line_end = n.line_end;
        insert into batch_counts (batch_id, partition_id, line_end, count)
        select n.batch_id, @partition, n.line_end, n.count from @counts n
        where not exists (select 1 from batch_counts c with (forceseek) where c.batch_id = n.batch_id and c.partition_id = @partition
            and c.line_end = n.line_end);
        """,
        Int("@partition"), Json("@rows"));

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
        select id from outcomes {Newest} where queue = @queue and dead = 1 and delete_at > @now
            order by finished_at desc, id desc offset @max rows;
        update t set delete_at = @now, dead = 0 from @old o inner loop join outcomes t {Sought} on t.id = o.id where t.dead = 1;
        """,
        Queue("@queue"), Int("@max"), Time("@now"));

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

    /// <summary>
    /// Locks a partition, then appends the events to it and counts the completions among them. Must be the last step before a commit.
    /// </summary>
    private static async Task AppendAsync(SqlConnection connection, SqlTransaction transaction, IReadOnlyList<TaskEvent> events,
        bool counts = true)
    {
        var rows = OutboxRows.Pack(events);
        List<TaskEvent> ends = [.. events.Where(e => counts && TaskEvent.IsTerminal(e.Type))];
        if (rows.Count == 0 && ends.Count == 0)
            return;
        var partition = PickPartition();
        if (rows.Count > 0)
            await ExecuteAsync(connection, transaction, AppendSql, partition, OutboxJsonOf(rows));
        else
            await ExecuteAsync(connection, transaction, LockPartitionSql, partition);
        if (ends.Count > 0)
        {
            await ExecuteAsync(connection, transaction, CountSql, partition, Rows.Json(ends.CountBy(e => (e.Queue, e.Tier, e.Type, e.Owner))
                .Select(c => (object?[])[c.Key.Queue, c.Key.Tier, (int)c.Key.Type, c.Key.Owner ?? "", (long)c.Value])));
        }

        List<TaskEvent> items = [.. ends.Where(e => e.Line is not null)];
        if (items.Count > 0)
        {
            await ExecuteAsync(connection, transaction, CountItemsSql, partition, Rows.Json(items.CountBy(e => e.Line!.Value)
                .Select(c => (object?[])[c.Key.Batch, (int)c.Key.End, c.Value])));
        }
    }

    /// <summary>The rows of <see cref="AppendSql"/>.</summary>
    private static string OutboxJsonOf(List<OutboxRow> rows) => Rows.Json(rows.Select((r, ord) => (object?[])
        [
            r.At, (int)r.Type, r.Queue, r.Tier, r.Worker, r.Dispatch, r.ReleasesCapacity, OutboxJson.Write(r.Ids),
            OutboxJson.Write(r.Attempts), r.Earlier is { } earlier ? OutboxJson.Write(earlier) : null,
            r.DueTimes is { } dueTimes ? OutboxJson.Write(dueTimes) : null,
            r.Errors is { } errors ? OutboxJson.Write(errors) : null, ord,
        ]));

    private sealed class Session(SqlConnection connection, SqlTransaction transaction) : ITaskSession
    {
        public async Task<Dictionary<Guid, TaskState>> LoadAsync(IReadOnlyList<Guid> ids) =>
            (await ReadAsync(connection, transaction, LoadSql,
                r => TaskMove.Loaded(TaskColumn.ReadRow(TaskColumn.Loaded, r), isPartial: r.GetBoolean(TaskColumn.Loaded.Length)),
                Rows.Json(ids.Distinct()), TaskMove.MaxErrorBytes(ids.Count))).ToDictionary(t => t.CorrelationId);

        public async Task<Dictionary<Guid, string>> LoadPayloadsAsync(IReadOnlyList<Guid> ids) =>
            (await ReadAsync(connection, transaction, PayloadsSql, r => (Id: StoredValue.Id(r, 0), Payload: r.GetString(1)),
                Rows.Json(ids))).ToDictionary(t => t.Id, t => t.Payload);

        /// <remarks>The rows have been locked since they were loaded, so all of them are written.</remarks>
        public async Task<IReadOnlySet<Guid>> SaveAsync(IReadOnlyList<TaskState> inserts, IReadOnlyList<TaskState> updates)
        {
            try
            {
                await WriteAsync(inserts, updates);
                await transaction.CommitAsync();
                return FrozenSet<Guid>.Empty;
            }
            catch (SqlException taken) when (SqlServerFaults.IsDuplicateOf(taken, TasksKey))
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
            if (inserts.Count > 0)
                await ExecuteAsync(connection, transaction, InsertNewSql, NewRows(inserts));
            foreach (var move in TaskMove.Of(updates))
                await MoveAsync(connection, transaction, move);
            await ChangeAsync(connection, transaction, updates);
            await AddHistoryAsync(connection, transaction, updates);
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
