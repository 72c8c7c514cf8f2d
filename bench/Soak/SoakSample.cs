using TaskQueue.Bench.Reporting;

namespace TaskQueue.Bench.Soak;

/// <summary>PostgreSQL statistics of a table; sizes in bytes.</summary>
internal sealed record TableLook(long Heap, long Indexes, long Toast, long Live, long Dead, long Inserted, long Deleted, long Vacuums)
{
    public static TableLook None { get; } = new(0, 0, 0, 0, 0, 0, 0, 0);

    public long Rows => Inserted - Deleted;

    public double HeapMegabytes => Heap / 1e6;

    public double IndexMegabytes => Indexes / 1e6;

    public double Megabytes => (Heap + Indexes + Toast) / 1e6;

    public override string ToString() => $"{Rows:#,0} ({Dead:#,0} dead) {Megabytes:0} MB";
}

/// <summary>Snapshot of the database.</summary>
/// <param name="Tables">Statistics by table name.</param>
/// <param name="Wal">Bytes of write-ahead log since the server was initialized.</param>
/// <param name="OutboxSeconds">Age of the oldest event not recorded as published by the outbox dispatcher,
/// which records once a second.</param>
/// <param name="OverdueSeconds">How long the oldest remaining row is overdue for removal.</param>
/// <param name="Connections">Number of connections by process.</param>
internal sealed record DatabaseLook(
    IReadOnlyDictionary<string, TableLook> Tables, double Wal, double OutboxSeconds, double OverdueSeconds,
    IReadOnlyDictionary<string, int> Connections)
{
    public TableLook Table(string name) => Tables.GetValueOrDefault(name, TableLook.None);
}

/// <summary>Usage of a process: resident memory in megabytes (10^6 bytes), and cores used since the previous sample.</summary>
internal sealed record ProcessLook(double Megabytes, double Cores);

/// <summary>A sample, with the changes since the previous one; rates are per second.</summary>
/// <param name="Seconds">Time since the load began.</param>
/// <param name="Database">Snapshot of the database.</param>
/// <param name="Processes">Usage of the processes, in the order of <see cref="SoakPlan.Roles"/>.</param>
/// <param name="Claim">Latency of claims, including empty ones.</param>
/// <param name="Accepted">Accepted tasks per second.</param>
/// <param name="Completed">Reported tasks per second.</param>
/// <param name="Removed">Tasks removed by retention per second.</param>
/// <param name="Wal">Bytes of write-ahead log per second.</param>
/// <param name="LateMs">Maximum delay of a request.</param>
/// <param name="Browser">Memory of the browser in megabytes (10^6 bytes); null if there is none.</param>
internal sealed record SoakSample(
    double Seconds, DatabaseLook Database, IReadOnlyList<ProcessLook> Processes, Latency Claim, double Accepted, double Completed,
    double Removed, double Wal, double LateMs, double? Browser)
{
    public TableLook Table(string name) => Database.Table(name);

    public override string ToString() =>
        $"{Accepted:0}/s in, {Completed:0}/s done, {Removed:0}/s removed, "
        + $"{string.Join(", ", SoakPlan.Tables.Select(name => $"{name} {Table(name)}"))}, "
        + $"claims {Claim}, "
        + $"{string.Join('/', Processes.Select(p => $"{p.Megabytes:0}"))} MB, "
        + $"{string.Join('/', Processes.Select(p => $"{p.Cores:0.00}"))} cores, "
        + (Browser is { } browser ? $"browser {browser:0} MB, " : "")
        + $"WAL {Wal / 1e6:0.0} MB/s, outbox {Database.OutboxSeconds:0.0} s, overdue {Database.OverdueSeconds:0.0} s, late {LateMs:0} ms";
}
