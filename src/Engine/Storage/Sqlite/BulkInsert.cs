using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Storage.Sqlite;

internal sealed partial class SqliteTaskStore
{
    private static readonly string InsertTaskSql =
        $"insert into tasks ({TaskColumn.List(TaskColumn.All)}) values ({Placeholders(TaskColumn.All.Length)}) on conflict (id) do nothing";

    public Task<IReadOnlySet<Guid>> InsertAsync(IReadOnlyList<TaskState> tasks) =>
        UseAsync<IReadOnlySet<Guid>>(
            () =>
            {
                var inserted = new HashSet<Guid>(tasks.Count);
                foreach (var task in tasks)
                {
                    if (InsertRow(task) == 0)
                        continue; // the id exists: left alone, and no event
                    inserted.Add(task.CorrelationId);
                    Append(new TaskEvent
                    {
                        TaskId = task.CorrelationId,
                        Type = TaskEventType.Submitted,
                        Queue = task.Queue,
                        Level = task.Level,
                        Attempt = task.Attempt,
                        At = task.CreatedAt,
                        DueAt = task.DueAt,
                        Dispatch = task.DispatchAt > task.DueAt,
                    });
                }

                return inserted;
            },
            write: true);

    private int InsertRow(TaskState task) => Execute(InsertTaskSql, [.. TaskColumn.All.Select(c => c.SqliteValue(task))]);
}
