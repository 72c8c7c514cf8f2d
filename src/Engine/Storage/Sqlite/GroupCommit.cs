using System.Text.Json;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Storage.Sqlite;

internal sealed partial class SqliteTaskStore
{
    private static readonly string LoadSql =
        $"select {TaskColumn.List(TaskColumn.Loaded)} from tasks where id in (select value from json_each(@0))";

    private static readonly string UpdateSql =
        $"""
        update tasks set {string.Join(", ", TaskColumn.Changed.Select((c, i) => $"{c.Name} = @{i + 1}"))}
        where id = @0
        """;

    private const string AppendSql =
        """
        insert into task_events (stream, task_id, type, queue, level, attempt, worker, error, at, due_at, dispatch)
        values (@0, @1, @2, @3, @4, @5, @6, @7, @8, @9, @10)
        """;

    public async Task<ITaskSession> BeginAsync()
    {
        await _gate.WaitAsync();
        try
        {
            Open();
            Execute("begin immediate");
            return new Session(this);
        }
        catch
        {
            _gate.Release();
            throw;
        }
    }

    private void Append(TaskEvent e) =>
        Execute(AppendSql, Stream, e.TaskId, (int)e.Type, e.Queue, e.Level, e.Attempt, OrNull(e.Worker), OrNull(e.Error),
            Micros.FromTime(e.At), e.DueAt is { } due ? Micros.FromTime(due) : DBNull.Value, e.Dispatch);

    private sealed class Session(SqliteTaskStore store) : ITaskSession
    {
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

            foreach (var task in updates)
                store.Execute(UpdateSql, [TaskColumn.Id.SqliteValue(task), .. TaskColumn.Changed.Select(c => c.SqliteValue(task))]);
            foreach (var step in inserts.Concat(updates).SelectMany(t => t.Events))
                store.Append(step);
            store.Execute("commit");
            _committed = true;
            return Task.CompletedTask;
        }

        public ValueTask DisposeAsync()
        {
            if (!_committed)
                store.Rollback();
            store._gate.Release();
            return ValueTask.CompletedTask;
        }
    }

    private List<TaskState> LoadByIds(string sql, TaskColumn[] columns, IEnumerable<Guid> ids) =>
        Query(sql, r => TaskColumn.ReadRow(columns, r), JsonSerializer.Serialize(ids.Select(id => id.ToString().ToUpperInvariant())));
}
