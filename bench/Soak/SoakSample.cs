using TaskQueue.Bench.Reporting;

namespace TaskQueue.Bench.Soak;

/// <summary>A table as PostgreSQL's statistics show it; sizes in bytes.</summary>
internal sealed record TableLook(long Heap, long Indexes, long Toast, long Live, long Dead, long Inserted, long Deleted, long Vacuums)
{
    public static TableLook None { get; } = new(0, 0, 0, 0, 0, 0, 0, 0);

    public long Rows => Inserted - Deleted;
}

/// <summary>What the database shows at one moment.</summary>
/// <param name="Tables">By name.</param>
/// <param name="Wal">Bytes of write-ahead log since the server was made.</param>
/// <param name="OutboxSeconds">Age of the oldest event that the outbox dispatcher has not noted as published;
/// it notes once a second.</param>
/// <param name="OverdueSeconds">How long ago the oldest row that is still there was to be removed.</param>
/// <param name="Connections">By process.</param>
internal sealed record DatabaseLook(
    IReadOnlyDictionary<string, TableLook> Tables, double Wal, double OutboxSeconds, double OverdueSeconds,
    IReadOnlyDictionary<string, int> Connections)
{
    public TableLook Tasks => Table("tasks");

    public TableLook Events => Table("task_events");

    public TableLook Table(string name) => Tables.GetValueOrDefault(name, TableLook.None);
}

/// <summary>What a process used: resident memory in megabytes (10^6 bytes), and its share of a core since the look before.</summary>
internal sealed record ProcessLook(double Megabytes, double Cores);

/// <summary>One look, and what happened since the one before; rates are a second.</summary>
/// <param name="Seconds">Since the load began.</param>
/// <param name="Database">The tables.</param>
/// <param name="Processes">In the order of <see cref="SoakPlan.Roles"/>.</param>
/// <param name="Claim">How long claims took, the empty ones too.</param>
/// <param name="Accepted">Tasks that were accepted.</param>
/// <param name="Completed">Tasks that were reported.</param>
/// <param name="Removed">Tasks that retention removed.</param>
/// <param name="Wal">Bytes of write-ahead log.</param>
/// <param name="LateMs">How late the latest request was sent.</param>
internal sealed record SoakSample(
    double Seconds, DatabaseLook Database, IReadOnlyList<ProcessLook> Processes, Latency Claim, double Accepted, double Completed,
    double Removed, double Wal, double LateMs)
{
    public double TasksHeap => Database.Tasks.Heap / 1e6;

    public double TasksIndexes => Database.Tasks.Indexes / 1e6;

    public double EventsHeap => Database.Events.Heap / 1e6;

    public double EventsIndexes => Database.Events.Indexes / 1e6;

    public double Megabytes => Processes.Sum(p => p.Megabytes);

    public override string ToString() =>
        $"{Accepted:0}/s in, {Completed:0}/s done, {Removed:0}/s removed, "
        + $"{Database.Tasks.Rows:#,0} tasks ({Database.Tasks.Dead:#,0} dead), "
        + $"tasks {TasksHeap:0}+{TasksIndexes:0} MB, events {EventsHeap:0}+{EventsIndexes:0} MB, claims {Claim}, "
        + $"{string.Join('/', Processes.Select(p => $"{p.Megabytes:0}"))} MB, "
        + $"{string.Join('/', Processes.Select(p => $"{p.Cores:0.00}"))} cores, "
        + $"WAL {Wal / 1e6:0.0} MB/s, outbox {Database.OutboxSeconds:0.0} s, overdue {Database.OverdueSeconds:0.0} s, late {LateMs:0} ms";
}
