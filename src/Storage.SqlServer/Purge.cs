using System.Data.Common;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using static TaskQueue.Storage.SqlServer.Statement;

namespace TaskQueue.Storage.SqlServer;

/// <summary>Purges a queue in steps.</summary>
internal sealed partial class SqlServerTaskStore
{
    // Of the members only one part is read, from a mark on and in the order of an index: what the last steps deleted is not read again. A
    // task may fail, or a dead letter may be retried, while we wait for its row: where it is then decides.
    private static readonly Statement PurgeSql = new(
        $"""
        {AllOrNothing}
        declare @members table (id binary(16) primary key, tier int, priority int, ordering_key {SqlServerTaskDbContext.ExactType},
            at datetime2(6), accepted datetime2(6));
        declare @wanted table (id binary(16) primary key);
        declare @after_key {SqlServerTaskDbContext.ExactType} = convert({SqlServerTaskDbContext.ExactType}, @key);
        insert into @members select top (@max) m.id, m.tier, m.priority, m.ordering_key, m.at, m.accepted from ({Members}) as m
            order by m.tier, m.priority, m.ordering_key, m.at, m.accepted, m.id;
        {LockOrderingKeysText($"from @members m inner loop join tasks k {Sought} on k.id = m.id where k.ordering_key is not null")}
        insert into @wanted select id from @members;
        {LockTasksText}
        declare @gone table ({Rows.Declare(Gone)});
        delete w output {TaskColumn.List(Gone, "deleted.")} into @gone
        from @found f inner loop join ready w {Sought} on w.id = f.id where f.place = {(int)TaskTable.Ready};
        delete r output {TaskColumn.List(Gone, "deleted.")} into @gone
        from @found f inner loop join running r {Sought} on r.id = f.id where f.place = {(int)TaskTable.Running};
        insert into outcomes ({TaskColumn.List(TaskColumn.Outcomes)})
        select {string.Join(", ", TaskColumn.Outcomes.Select(Cancelled))} from @gone g;
        delete d from @gone g inner loop join dedupe_keys d {Sought} on d.queue = g.queue and d.dedupe_key = g.dedupe_key
        where d.task_id = g.id;
        declare @dropped table (id binary(16) primary key);
        update o set delete_at = @now, dead = 0 output inserted.id into @dropped
        from @found f inner loop join outcomes o {Sought} on o.id = f.id where f.place = {(int)TaskTable.Outcomes} and o.dead = 1;
        select m.id, cast(case when g.id is null then 0 else 1 end as bit), cast(case when d.id is null then 0 else 1 end as bit),
            {Rows.Read("ordering_key", "g.")}, coalesce(g.tier, 0), coalesce(g.attempt, 0), g.worker, m.tier, m.priority,
            cast(m.ordering_key as nvarchar(400)), m.at, m.accepted
        from @members m left join @gone g on g.id = m.id left join @dropped d on d.id = m.id
        order by m.tier, m.priority, m.ordering_key, m.at, m.accepted, m.id;
        """,
        Queue("@queue"), Time("@now"), Time("@before"), Int("@max"), Int("@part"), Int("@tier"), Int("@priority"),
        Text4000("@key"), Time("@at"), Time("@accepted"), Id("@id"));

    private const string Epoch = "cast('1970-01-01' as datetime2(6))";

    private static string Members => string.Join("\nunion all\n", (string[])
    [
        .. Ranges(PurgePart.Waiting, "m.tier, m.priority, 0x as ordering_key, m.due_at as at, m.created_at as accepted", "ready m",
            "m.blocked = 0 and m.created_at < @before", ("m.tier", "@tier"), ("m.priority", "@priority"), ("m.due_at", "@at"),
            ("m.created_at", "@accepted"), ("m.id", "@id")),
        .. Ranges(PurgePart.Blocked, "0 as tier, 0 as priority, m.ordering_key, m.due_at as at, m.created_at as accepted", "ready m",
            "m.ordering_key is not null and m.blocked = 1 and m.created_at < @before", ("m.ordering_key", "@after_key"),
            ("m.due_at", "@at"), ("m.created_at", "@accepted"), ("m.id", "@id")),
        .. Ranges(PurgePart.Running, $"0 as tier, 0 as priority, 0x as ordering_key, {Epoch} as at, {Epoch} as accepted", "running m",
            "m.created_at < @before", ("m.id", "@id")),
        .. Ranges(PurgePart.Dead, $"0 as tier, 0 as priority, 0x as ordering_key, m.finished_at as at, {Epoch} as accepted",
            $"outcomes m inner loop join tasks t {Sought} on t.id = m.id", "m.dead = 1 and t.created_at < @before",
            ("m.finished_at", "@at"), ("m.id", "@id")),
    ]);

    /// <summary>
    /// The first rows after a position, in ranges of an index that differ from it in the last column, in the one before, and so on: none is
    /// sorted or read whole.
    /// </summary>
    private static IEnumerable<string> Ranges(
        PurgePart part, string columns, string from, string condition, params (string Name, string After)[] keys)
    {
        for (var i = keys.Length - 1; i >= 0; i--)
        {
            var equal = string.Concat(keys[..i].Select(k => $" and {k.Name} = {k.After}"));
            var order = string.Join(", ", keys[i..].Select(k => k.Name));
            yield return $"select * from (select top (@max) m.id, {columns} from {from} where @part = {(int)part} and m.queue = @queue "
                + $"and {condition}{equal} and {keys[i].Name} > {keys[i].After} order by {order}) as p";
        }
    }

    /// <summary>What the outcome of a purged task needs of it, and what it held.</summary>
    private static IEnumerable<TaskColumn> Gone => TaskColumn.All.Where(c => c.IsIn(TaskTable.Ready) && c.IsIn(TaskTable.Running)
        && (c.IsIn(TaskTable.Outcomes) || c.Name is "batch_id" or "dedupe_key" or "ordering_key"));

    private static string Cancelled(TaskColumn column) => column.Name switch
    {
        "state" => $"{TaskStates.Cancelled}",
        "finished_at" => "@now",
        "delete_at" => "case when g.batch_id is null then @now end",
        "result" => "null",
        "dead" => "0",
        _ => "g." + column.Name,
    };

    public Task<PurgedTasks> PurgeAsync(
        string queue, EventPolicy events, DateTime now, int max, DateTime acceptedBefore, PurgeMark from) =>
        InTransactionAsync(async (connection, transaction) =>
        {
            var found = await ReadLongAsync(connection, transaction, PurgeSql, ReadPurged, queue, now, acceptedBefore, max,
                (int)from.Part, from.Tier, from.Priority, from.Key, from.At, from.AcceptedAt, from.Id);
            var cancelled = found.FindAll(t => t.IsCancelled);
            // Tasks added while we waited for the head of their key are kept, and one of them is now the head.
            await PromoteAsync(connection, transaction, TaskChanges.OrderingKeysOf(queue, cancelled.Select(t => t.Key)));
            if (events != EventPolicy.None)
            {
                await AppendAsync(connection, transaction, counts: false, events: [.. cancelled.Select(t => new TaskEvent
                {
                    TaskId = t.Id, Type = TaskEventType.Cancelled, Queue = queue, Tier = t.Tier, Attempt = t.Attempt, Worker = t.Worker,
                    At = now,
                })]);
            }

            await transaction.CommitAsync();
            var next = found.Count < max ? from.NextPart : found[^1].Mark with { Part = from.Part };
            return new PurgedTasks(cancelled.Count, found.Count(t => t.IsDropped), found.Count, next);
        });

    private static PurgedTask ReadPurged(DbDataReader reader) =>
        new(StoredValue.Id(reader, 0), reader.GetBoolean(1), reader.GetBoolean(2), reader.IsDBNull(3) ? null : reader.GetString(3),
            reader.GetInt32(4), reader.GetInt32(5), reader.IsDBNull(6) ? null : reader.GetString(6),
            new PurgeMark(default, reader.GetInt32(7), reader.GetInt32(8), reader.GetString(9),
                StoredValue.Time(reader, 10), StoredValue.Time(reader, 11), StoredValue.Id(reader, 0)));

    /// <summary>A task that a purge found; it may have moved before it was locked.</summary>
    private sealed record PurgedTask(
        Guid Id, bool IsCancelled, bool IsDropped, string? Key, int Tier, int Attempt, string? Worker, PurgeMark Mark);
}
