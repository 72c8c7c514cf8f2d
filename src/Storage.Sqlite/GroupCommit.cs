using System.Collections.Frozen;
using System.Text.Json;
using TaskQueue.Engine;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Sqlite;

internal sealed partial class SqliteTaskStore
{
    // "cross join" reads the rows of outcomes first: most tasks have none.
    private static readonly string LoadSql =
        $"""
        select {Loaded(TaskTable.Ready)}, {IsPartial} from ready r where r.id in (select value from json_each(@ids))
        union all
        select {Loaded(TaskTable.Running)}, {IsPartial} from running r where r.id in (select value from json_each(@ids))
        union all
        select {Loaded(TaskTable.Outcomes)}, {IsPartial} from outcomes r cross join tasks t on t.id = r.id
        where r.id in (select value from json_each(@ids))
        """;

    private const string AddCallbacksSql =
        """
        insert into callbacks (subject_id, url, body, state, attempts, due_at, log, created_at, owner, origin)
        values (@subject_id, @url, @body, 0, 0, @at, '[]', @at, @owner, @origin)
        """;

    private const string EvictSql =
        """
        update outcomes set delete_at = @now, dead = 0
        where id in (
            select id from outcomes where queue = @queue and dead and delete_at > @now order by finished_at desc, id desc
            limit -1 offset @max)
        """;

    private static string Loaded(TaskTable table) =>
        TaskViews.SelectLoaded(table, c => TaskViews.Select([c], table, Missing), text => $"octet_length({text}) <= @max_error");

    private const string IsPartial = "coalesce(octet_length(r.error) > @max_error, 0)";

    /// <summary>The value of a column that the row of a task does not have.</summary>
    internal static string Missing(TaskColumn column) =>
        column.Name == "octets" ? "octet_length(t.payload) + coalesce(octet_length(t.headers), 0)"
        : column.Name == "crashes" ? "0"
        : column.Type == typeof(bool) ? "0"
        : "null";

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

    /// <summary>Holds the database from the load to the commit, so every change is written.</summary>
    private sealed class Session(SqliteTaskStore store) : ITaskSession
    {
        private bool _committed;

        public Task<Dictionary<Guid, TaskState>> LoadAsync(IReadOnlyList<Guid> ids) =>
            Task.FromResult(
                store.Query(LoadSql,
                    r => TaskMove.Loaded(TaskColumn.ReadRow(TaskColumn.Loaded, r), isPartial: r.GetBoolean(TaskColumn.Loaded.Length)),
                    ("@ids", Json(ids)), ("@max_error", TaskMove.MaxErrorBytes(ids.Count))).ToDictionary(t => t.CorrelationId));

        public Task<Dictionary<Guid, string>> LoadPayloadsAsync(IReadOnlyList<Guid> ids) =>
            Task.FromResult(store.Query(PayloadsSql, r => (Id: r.GetGuid(0), Payload: r.GetString(1)), ("@ids", Json(ids)))
                .ToDictionary(t => t.Id, t => t.Payload));

        public Task<IReadOnlySet<Guid>> SaveAsync(IReadOnlyList<TaskState> inserts, IReadOnlyList<TaskState> updates)
        {
            foreach (var task in inserts) // they have neither dedupe nor ordering keys
            {
                if (!store.InsertRow(task))
                    throw new TaskIdTakenException();
            }

            TaskMove.Of(updates).ForEach(store.Write);
            store.WriteChanges(updates);
            store.WriteHistory(updates);
            foreach (var callback in TaskChanges.DueCallbacks(updates))
            {
                store.Execute(AddCallbacksSql, ("@subject_id", callback.SubjectId), ("@url", callback.Url), ("@body", callback.Body),
                    ("@at", Micros.FromTime(callback.At)), ("@owner", OrNull(callback.Owner)), ("@origin", callback.Origin));
            }

            foreach (var full in TaskChanges.FullQueues(updates))
            {
                store.Execute(EvictSql, ("@queue", full.Queue), ("@max", full.Settings.DeadLetters.MaxSize),
                    ("@now", Micros.FromTime(full.FinishedAt!.Value)));
            }

            store.Promote(TaskChanges.Promotable(updates));
            List<TaskEvent> events = [.. inserts.Concat(updates).SelectMany(t => t.Events)];
            store.Append(events);
            store.Count(events);
            store.Execute("commit");
            _committed = true;
            return Task.FromResult<IReadOnlySet<Guid>>(FrozenSet<Guid>.Empty);
        }

        public ValueTask DisposeAsync()
        {
            if (!_committed)
                store.Rollback();
            store._lock.Release();
            return ValueTask.CompletedTask;
        }
    }

    /// <summary>A list of ids as they are stored, for json_each.</summary>
    private static string Json(IEnumerable<Guid> ids) => JsonSerializer.Serialize(ids.Select(id => id.ToString().ToUpperInvariant()));
}
