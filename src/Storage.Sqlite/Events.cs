using System.Text.Json;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Sqlite;

internal sealed partial class SqliteTaskStore
{
    private const string LoadCursorsSql = "select cursor from event_streams where id = @0";

    private const string SaveCursorsSql = "update event_streams set cursor = max(cursor, @1) where id = @0";

    private const string EndOfEventsSql = "select coalesce(max(id), 0) from task_events";

    private const string ReadEventsSql =
        """
        select stream, id, task_id, type, queue, tier, attempt, worker, substr(error, 1, 1000), at, due_at, dispatch, frees
        from task_events where id > @0 order by id limit @1
        """;

    // A single process owns the file, so it is the outbox dispatcher, and its own notifications suffice.
    public Task<IOutboxLease?> TryAcquireOutboxLeaseAsync(Action wake, CancellationToken cancellationToken) =>
        Task.FromResult<IOutboxLease?>(new OutboxLease());

    public Task WakeDispatcherAsync() => Task.CompletedTask;

    public Task<long[]> LoadCursorsAsync() =>
        UseAsync(
            () =>
            {
                var cursors = new long[TaskEvent.Streams];
                cursors[Stream] = Query(LoadCursorsSql, r => r.GetInt64(0), Stream)[0];
                return cursors;
            },
            write: false);

    public Task SaveCursorsAsync(long[] cursors) =>
        UseAsync(() => Execute(SaveCursorsSql, Stream, cursors[Stream]), write: true);

    public Task<long[]> EndOfEventsAsync() =>
        UseAsync(
            () =>
            {
                var cursors = new long[TaskEvent.Streams];
                cursors[Stream] = Query(EndOfEventsSql, r => r.GetInt64(0))[0];
                return cursors;
            },
            write: false);

    public Task<IReadOnlyList<TaskEvent>> ReadEventsAsync(long[] cursors, int max) =>
        UseAsync<IReadOnlyList<TaskEvent>>(() => Query(ReadEventsSql, EventReader.Read, cursors[Stream], max), write: false);

    public Task<IReadOnlyList<TaskState>> ReadForDispatchAsync(IReadOnlyList<Guid> ids, long maxBytes) =>
        UseAsync<IReadOnlyList<TaskState>>(
            () => Query(ReadForDispatchSql, r =>
                TaskColumn.ReadRow(TaskColumn.All, r), JsonSerializer.Serialize(ids.Select(id => id.ToString().ToUpperInvariant())),
                maxBytes),
            write: false);

    private static readonly string ReadForDispatchSql =
        $"""
        select {TaskColumn.List(TaskColumn.All, "t.")} from tasks t join (
            select s.id from (
                select id, octet_length(payload) + coalesce(octet_length(headers), 0) as octets,
                    sum(octet_length(payload) + coalesce(octet_length(headers),
                        0)) over (order by id rows unbounded preceding) as octets_so_far
                from tasks where id in (select value from json_each(@0)) and state in {SqlStates.Waiting}) as s
            where s.octets_so_far <= @1 or s.octets_so_far = s.octets) as f on f.id = t.id
        order by t.id
        """;

    private sealed class OutboxLease : IOutboxLease
    {
        public Task Lost { get; } = new TaskCompletionSource().Task;

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
