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
        new("Combined claim", "Takes due tasks for several requests of a process.", "width_bucket((c.n - 1)"),
        new("Claim", "Takes due tasks for a worker.", "with due as materialized ("),
        new("Lock limits", "Before a claim from queues with limits: what it counts stays true until it commits.",
            "select 1 from queue_limits"),
        new("Next due", "When a worker that found nothing should look again.", "select min(c.due_at)"),
        new("Insert new", "Accepts tasks that have a dedupe key or an ordering key.", "where u.id in (select id from submitted)"),
        new("Insert", "Accepts tasks that can meet no others, with their events.", "waiting as (\n    insert into ready"),
        new("Take keys", "The dedupe keys of an insert that are free.", "where not exists (select 1 from tasks t where t.id = k.id)"),
        new("Existing", "Which ids of an insert were taken.", "lateral (select id, owner from tasks t"),
        new("Lock holders", "The tasks that an insert overwrites.", "from ready where id = any(array(select task_id from holders))"),
        new("Lock keys of holders", "The ordering keys of the tasks that an insert overwrites, and its own.", "locked_keys as ("),
        new("Holders", "The tasks that have the dedupe keys of an insert.", "from holders h cross join lateral"),
        new("Overwrite payloads", "What duplicates change on them.", "set payload = f.payload"),
        new("Overwrite times", "What duplicates change on them.", "update ready r set due_at = f.due_at"),
        new("History", "Adds to their timelines.", "insert into attempts"),
        new("Append", "Writes events.", "with locked as (select pg_advisory_xact_lock(1952543595, $1))\ninsert into outbox"),
        new("Lock keys", "Ordering keys: locks them.", "insert into ordering_keys"),
        new("Block", "Ordering keys: a waiting head gives way to an earlier task.", "set blocked = true from unnest"),
        new("Promote", "Ordering keys: promotes the first task where there is no head.", "set blocked = false\nfrom unnest"),
        new("Keys without a head", "Ordering keys: whether one has no head, because its first task has gone.",
            "select count(*) from unnest($1, $2) as k"),
        new("Forget keys", "Ordering keys: forgets those that have no task left.", "delete from ordering_keys"),
        new("Load", "Reads the tasks of a group of commands.", "others as materialized ("),
        new("Last events", "Events of a transaction that had to wait for others.", "found as (select unnest("),
        new("Finish", "Writes those that ended: rows, events, counts and callbacks.", "moved as (insert into outcomes"),
        new("Settle callback", "Notes how a try ended.", "update callbacks set state"),
        new("Remove callbacks", "Retention of callbacks.", "delete from callbacks"),
        new("Evict", "Deletes the oldest dead letters of a queue that has too many.", "order by finished_at desc, id desc offset $2"),
        new("Sweep: dispatch", "Push tasks that are due for dispatch.", "select id from ready where dispatch_at"),
        new("Next dispatch", "When the sweep will find one.", "select dispatch_at from ready"),
        new("Sweep: expired leases", "Running tasks whose lease is over.", "select id from running where lease_until"),
        new("Next expired lease", "When the sweep will find one.", "select lease_until from running"),
        new("Sweep: expired", "Waiting tasks past their expiry.", "select id from ready where expires_at"),
        new("Next expired", "When the sweep will find one.", "select expires_at from ready"),
        new("Redispatch all", "After a start with the in-process bus.", "greatest(due_at, $1) where dispatch_at is not null"),
        new("Remove", "Retention: a batch of tasks that are gone.", "with unpublished as ("),
        new("Count expired", "Dead letters past their retention count as expired.", "as u(queue, owner, count)"),
        new("Remove published", "Retention of published events.", "delete from outbox"),
        new("Read events", "The dispatcher: what follows the offsets of all partitions.", "o.partition_id = s.n - 1"),
        new("Read for dispatch", "The dispatcher: the tasks that it sends to bus workers.", "from ready where id = any($1)) as s"),
        new("Load offsets", "The dispatcher: where it stood.", "select id, published_to from outbox_partitions"),
        new("Begin on a server", "The dispatcher: where it begins after a failover.", "begun_at = (select array_agg"),
        new("Save offsets", "The dispatcher: where it stands.", "update outbox_partitions"),
        new("Backlog", "/metrics: what waits and runs, by queue and tier.", "select queue, tier, sum(due)"),
        new("Outbox", "/metrics: events that the dispatcher has not sent.", "sum(c.events)"),
        new("Finished", "/scaling: how many tasks of some queues have completed or failed.", "from queue_counts where queue = any($1)"),
        new("Stats", "Counts of a queue.", "from queue_counts where queue = $1 and type = 3"),
        new("Add limits", "A queue gets limits.", "insert into queue_limits"),
        new("Limit running", "Tasks of it that run already count.", "set limited = true"),
        new("Rearm", "A push queue goes on after a pause.", "and push and dispatch_at is null"),
        new("Adopt", "A queue with waiting tasks becomes a push queue.", "set push = true"),
        new("Purge", "Deletes what waits, runs or is dead in a queue, each from a mark on.", "with found as materialized (\n    (select id, tier"),
        new("Purge: rate limit", "Fills the token bucket of a purged queue.", "set bucket_base = 0 where"),
        new("Reset counts", "The counts of a purged queue.", "delete from queue_counts"),
        new("Schedules due", "The scheduler: schedules whose tick has come.", "FROM schedules AS s\nWHERE s.next_at <="),
        new("Next tick", "The scheduler: when the next one comes.", "min(s.next_at)"),
        new("Take tick", "The tick of a schedule is taken, in the transaction that inserts its task.", "update schedules set next_at"),
        new("Take callbacks", "The scheduler: callbacks that are due, a few of each owner and receiver.", "with ready as ("),
        new("Next callback", "When the next one is due.", "select due_at from callbacks"),
        new("Write workers", "Contacts of workers with a process.", "insert into workers as w"),
        new("Add counts", "Statistics: what a process has counted.", "insert into queue_statistics as s"),
        new("Append logs", "Lines that workers logged, of all tasks of a report.", "insert into task_logs"),
        new("Failures: groups", "Failures: the groups that a process has failures of.", "FROM failure_groups AS f\nWHERE f.id = ANY"),
        new("Failures: room", "How many groups there are, before new ones are added.", "FROM failure_groups AS f"),
        new("Failures: versions", "The versions of the workers that failed.", "FROM workers AS w"),
        new("Failures: add groups", "Adds new groups.", "INSERT INTO failure_groups"),
        new("Failures: add samples", "Adds their newest failures.", "INSERT INTO failure_samples"),
        new("Failures: drop samples", "Drops those that are too many.", "DELETE FROM failure_samples"),
        new("List: rows", "The tasks of a page, once their sizes are known.", "a.id = ANY ("),
        new("List: listed", "Whether an owner has tasks that are listed under other ids than their own.", "t.listed_as IS NOT NULL"),
        new("List: owner", "The newest tasks of one owner, from its own index.", "t.owner = $1 AND NOT EXISTS"),
        new("List: state", "The newest tasks of one owner in a state.", "AND e.state = "),
        new("List: tiers", "The tiers in which tasks of a queue wait, one after the other.", "ORDER BY r.tier"),
        new("List: waiting", "A page of what waits, of an ordering key only the head.", "ORDER BY w.due_at"),
        new("List: live", "A page of what waits, runs or is dead in a queue.", "UNION ALL"),
        new("List: running", "A page of what runs.", "ORDER BY r.lease_until"),
        new("List: dead", "A page of the dead letters.", "ORDER BY e.finished_at"),
    ];

    /// <summary>
    /// The statement that was run, or null for those without a table, such as a partition's lock, and those of the one row of the lease.
    /// </summary>
    public static KnownStatement? Of(RanStatement ran) =>
        ran.Plan == "Result" || IsOfLeaseAlone(ran.Sql)
            ? null
            : All.FirstOrDefault(s => ran.Sql.Contains(s.Mark, StringComparison.Ordinal))
                ?? throw new InvalidOperationException($"A statement without a name in {nameof(KnownStatement)}:\n{ran.Sql}");

    private static bool IsOfLeaseAlone(string sql) =>
        sql.Contains("outbox_lease", StringComparison.Ordinal) && !sql.Contains("outbox_partitions", StringComparison.Ordinal);
}
