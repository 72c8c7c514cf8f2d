namespace TaskQueue.Tests.Integration.Plans;

/// <summary>A hot statement: its name in docs/query-plans.md, its purpose, and words that only it contains.</summary>
internal sealed record KnownStatement(string Name, string Purpose, string Mark)
{
    /// <summary>In the order of the document. If the marks of two match, the first one wins.</summary>
    public static readonly KnownStatement[] All =
    [
        new("Strict claim", "Takes due tasks in a strict order, one claim after the other.", "picked as materialized"),
        new("Lock targets", "Before a strict claim.", "as buckets"),
        new("Unlock", "Frees a queue for sequential claims.", "delete from queue_locks"),
        new("Limited claim", "Takes due tasks of queues that have limits.", "with limits as ("),
        new("Claim", "Takes due tasks for a worker.", "with due as ("),
        new("Lock limits", "Before a claim from queues with limits: what it counts stays true until it commits.",
            "select 1 from queue_limits"),
        new("Next due", "When a worker that found nothing should look again.", "select min(c.due_at)"),
        new("Insert with events", "Accepts tasks that can meet no others.", "with inserted as ("),
        new("Insert", "Accepts tasks that have a dedupe key or an ordering key, or that a group of commands submits.",
            "insert into tasks ("),
        new("Existing", "Which ids of an insert were taken.", "select id, owner, delete_at from tasks where id = any($1)"),
        new("Holders", "The tasks that have the dedupe keys of an insert.", "select distinct queue, dedupe_key"),
        new("Overwrite", "What duplicates change on them.", "set payload = u.payload"),
        new("Keys without a head", "Ordering keys: whether one has no head, because its first task has gone.", "with heads as ("),
        new("Lock heads", "Ordering keys: locks the heads.", "order by t.id for update of t"),
        new("Block", "Ordering keys: a waiting head gives way to an earlier task.", "set blocked = true from unnest"),
        new("Promote", "Ordering keys: promotes the first task where there is no head.", "set blocked = false\nfrom unnest"),
        new("Load", "Locks and reads the tasks of a group of commands.", "where id = any($1) order by id for update"),
        new("Update", "Writes them.", "update tasks t set state = u.state"),
        new("Append", "Writes their events.", "select $1, u.* from unnest"),
        new("Count", "Counts the ends among them.", "insert into queue_counts"),
        new("Settle callback", "Notes how a try ended.", "update callbacks set state"),
        new("Remove callbacks", "Retention of callbacks.", "delete from callbacks"),
        new("Evict", "Deletes the oldest dead letters of a queue that has too many.", "order by finished_at desc, id desc offset $2"),
        new("Sweep: dispatch", "Push tasks that are due for dispatch.", "select id from tasks where dispatch_at"),
        new("Next dispatch", "When the sweep will find one.", "select dispatch_at from tasks"),
        new("Sweep: expired leases", "Running tasks whose lease is over.", "select id from tasks where state = 4"),
        new("Next expired lease", "When the sweep will find one.", "select lease_until from tasks"),
        new("Sweep: expired", "Waiting tasks past their expiry.", "select id from tasks where state in (3, 7)"),
        new("Next expired", "When the sweep will find one.", "select expires_at from tasks"),
        new("Redispatch all", "After a start with the in-process bus.", "greatest(due_at, $1) where dispatch_at is not null"),
        new("Remove", "Retention: a batch of tasks that are gone, with their events.", "with gone as (\n    select id, queue, dead"),
        new("Read events", "The dispatcher: what follows the cursors of all streams.", "from task_events e where e.stream"),
        new("Read for dispatch", "The dispatcher: the tasks that it sends to bus workers.", "where id = any($1) and state in (3, 7)"),
        new("Load cursors", "The dispatcher: where it stood.", "select id, cursor from event_streams"),
        new("Save cursors", "The dispatcher: where it stands.", "update event_streams"),
        new("Backlog", "/metrics: what waits and runs, by queue and tier.", "select queue, tier, sum(due)"),
        new("Outbox", "/metrics: events that the dispatcher has not sent.", "from event_streams s cross join lateral"),
        new("Finished", "/scaling: how many tasks of some queues have completed or failed.", "from queue_counts where queue = any($1)"),
        new("Stats", "Counts of a queue.", "from queue_counts where queue = $1 and type = 3"),
        new("Add limits", "A queue gets limits.", "insert into queue_limits"),
        new("Limit running", "Tasks of it that run already count.", "set limited = true"),
        new("Rearm", "A push queue goes on after a pause.", "and push and dispatch_at is null"),
        new("Adopt", "A queue with waiting tasks becomes a push queue.", "set push = true"),
        new("Purge", "Deletes what waits, runs or is dead in a queue.", "with found as (\n    select id from (\n"),
        new("Purge: events", "Writes that they were cancelled.", "$2, false, false from tasks"),
        new("Purge: rate limit", "Fills the token bucket of a purged queue.", "set bucket_base = 0 where"),
        new("Reset counts", "The counts of a purged queue.", "delete from queue_counts"),
        new("Schedules due", "The scheduler: schedules whose tick has come.", "FROM schedules AS s\nWHERE s.next_at <="),
        new("Next tick", "The scheduler: when the next one comes.", "min(s.next_at)"),
        new("Take tick", "The tick of a schedule is taken, in the transaction that inserts its task.", "update schedules set next_at"),
        new("Owe", "Tasks that ended owe callbacks.", "insert into callbacks"),
        new("Take callbacks", "The scheduler: callbacks that are due, a few of each owner and receiver.", "with ready as ("),
        new("Next callback", "When the next one is due.", "select due_at from callbacks"),
        new("List: rows", "The tasks of a page, once their sizes are known.", "t.id = ANY ("),
        new("List: owner", "The newest tasks of one owner, from its own index.", "AND t.owner = $2\nORDER BY t.id DESC"),
        new("List: live", "A page of what waits, runs or is dead in a queue.", "UNION ALL"),
        new("List: waiting", "A page of what waits, of an ordering key only the head.", "ORDER BY t.due_at"),
        new("List: running", "A page of what runs.", "ORDER BY t.lease_until"),
        new("List: dead", "A page of the dead letters.", "ORDER BY t.finished_at"),
    ];

    /// <summary>The statement that was run, or null for those without a table, such as a partition's lock.</summary>
    public static KnownStatement? Of(RanStatement ran) =>
        ran.Plan == "Result"
            ? null
            : All.FirstOrDefault(s => ran.Sql.Contains(s.Mark, StringComparison.Ordinal))
                ?? throw new InvalidOperationException($"A statement without a name in {nameof(KnownStatement)}:\n{ran.Sql}");
}
