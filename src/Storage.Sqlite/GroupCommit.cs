using System.Text.Json;
using Microsoft.Data.Sqlite;
using TaskQueue.Engine;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Sqlite;

internal sealed partial class SqliteTaskStore
{
    private static readonly string LoadSql =
        $"select {TaskColumn.List(TaskColumn.Loaded)} from tasks where id in (select value from json_each(@0))";

    private static readonly string UpdateSql = UpdateOf(TaskColumn.Changed);

    private const string AppendSql =
        """
        insert into task_events (stream, task_id, type, queue, tier, attempt, worker, error, at, due_at, dispatch, frees)
        values (@0, @1, @2, @3, @4, @5, @6, @7, @8, @9, @10, @11)
        """;

    private const string CountSql =
        """
        insert into queue_counts (queue, tier, stream, type, count) values (@0, @1, @2, @3, @4)
        on conflict (queue, tier, stream, type) do update set count = count + @4
        """;

    private const string CountLinesSql =
        """
        insert into batch_counts (batch_id, stream, line_end, count) values (@0, @1, @2, @3)
        on conflict (batch_id, stream, line_end) do update set count = count + @3
        """;

    private const string AddCallbacksSql =
        "insert into callbacks (subject_id, url, body, state, attempts, due_at, log, created_at, owner, origin) values (@0, @1, @2, 0, 0, "
            + "@3, '[]', @3, @4, @5)";

    private const string EvictSql =
        """
        update tasks set delete_at = @2, dead = 0
        where id in (select id from tasks where queue = @0 and dead and delete_at > @2 order by finished_at desc, id desc
            limit -1 offset @1)
        """;

    private static string UpdateOf(TaskColumn[] columns) =>
        $"update tasks set {string.Join(", ", columns.Select((c, i) => $"{c.Name} = @{i + 1}"))} where id = @0";

    public async Task<ITaskSession> BeginAsync()
    {
        await _lock.WaitAsync();
        try
        {
            Open();
            Execute("begin immediate");
            return new Session(this);
        }
        catch
        {
            _lock.Release();
            throw;
        }
    }

    /// <summary>Appends events and counts the completions among them.</summary>
    private void Append(IReadOnlyList<TaskEvent> events)
    {
        foreach (var e in events.Where(e => e.IsWritten))
        {
            Execute(AppendSql, Stream, e.TaskId, (int)e.Type, e.Queue, e.Tier, e.Attempt, OrNull(e.Worker), OrNull(e.Error),
                Micros.FromTime(e.At), e.DueAt is { } due ? Micros.FromTime(due) : DBNull.Value, e.Dispatch, e.ReleasesCapacity);
        }

        foreach (var (end, count) in events.Where(e => TaskEvent.IsTerminal(e.Type)).CountBy(e => (e.Queue, e.Tier, e.Type)))
            Execute(CountSql, end.Queue, end.Tier, Stream, (int)end.Type, count);
        foreach (var (line, count) in events.Where(e => e.Line is not null).CountBy(e => e.Line!.Value))
            Execute(CountLinesSql, line.Batch, Stream, (int)line.End, count);
    }

    private sealed class Session(SqliteTaskStore store) : ITaskSession
    {
        private const int UniqueViolation = 2067;

        private bool _committed;

        public Task<Dictionary<Guid, TaskState>> LoadAsync(IReadOnlyList<Guid> ids) =>
            Task.FromResult(store.LoadByIds(LoadSql, TaskColumn.Loaded, ids).ToDictionary(t => t.CorrelationId));

        public Task SaveAsync(IReadOnlyList<TaskState> inserts, IReadOnlyList<TaskState> updates)
        {
            foreach (var task in inserts)
            {
                if (store.InsertRow(task) == 0)
                    return Task.FromException(new TaskIdTakenException());
            }

            try
            {
                foreach (var task in updates)
                    store.Execute(UpdateSql, [TaskColumn.Id.SqliteValue(task), .. TaskColumn.Changed.Select(c => c.SqliteValue(task))]);
            }
            catch (SqliteException taken) when (taken.SqliteExtendedErrorCode == UniqueViolation
                && taken.Message.Contains("dedupe_key", StringComparison.Ordinal))
            {
                return Task.FromException(new DedupeKeyTakenException(taken));
            }

            foreach (var dueCallbacks in TaskChanges.DueCallbacks(updates))
                store.Execute(AddCallbacksSql, dueCallbacks.SubjectId, dueCallbacks.Url, dueCallbacks.Body,
                    Micros.FromTime(dueCallbacks.At), OrNull(dueCallbacks.Owner), dueCallbacks.Origin);
            foreach (var full in TaskChanges.FullQueues(updates))
                store.Execute(EvictSql, full.Queue, full.Settings.DeadLetters.MaxSize, Micros.FromTime(full.FinishedAt!.Value));
            store.Promote(TaskChanges.Promotable(updates));
            store.Append([.. inserts.Concat(updates).SelectMany(t => t.Events)]);
            store.Execute("commit");
            _committed = true;
            return Task.CompletedTask;
        }

        public ValueTask DisposeAsync()
        {
            if (!_committed)
                store.Rollback();
            store._lock.Release();
            return ValueTask.CompletedTask;
        }
    }

    private List<TaskState> LoadByIds(string sql, TaskColumn[] columns, IEnumerable<Guid> ids) =>
        Query(sql, r => TaskColumn.ReadRow(columns, r), JsonSerializer.Serialize(ids.Select(id => id.ToString().ToUpperInvariant())));
}
