using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage;

/// <summary>
/// Packs events into rows of the outbox and unpacks them. The id of an event is the id of its row and its place in the row; the last event
/// of a row has the highest place, so an offset behind it needs no second look at the row.
/// </summary>
internal static class OutboxRows
{
    /// <summary>Most events that a row can number; a claim writes one row, however many tasks it gets.</summary>
    public const int MostIds = 1 << PlaceBits;

    /// <summary>Most events that are packed into a row.</summary>
    public const int MaxEvents = 1000;

    private const int PlaceBits = 12;

    private const long LastPlace = (1 << PlaceBits) - 1;

    /// <summary>Packs the written ones of some events, keeping the order of each task.</summary>
    public static List<OutboxRow> Pack(IEnumerable<TaskEvent> events)
    {
        var rows = new List<(OutboxRow Row, List<TaskEvent> Events)>();
        var open = new Dictionary<(string, int, TaskEventType, string?, bool, bool), int>();
        var last = new Dictionary<Guid, int>();
        foreach (var e in events.Where(e => e.IsWritten))
        {
            var key = (e.Queue, e.Tier, e.Type, e.Worker, e.Dispatch, e.ReleasesCapacity);
            if (!open.TryGetValue(key, out var index) || index < last.GetValueOrDefault(e.TaskId, -1)
                || rows[index].Events.Count == MaxEvents)
            {
                open[key] = index = rows.Count;
                rows.Add((new OutboxRow
                {
                    Queue = e.Queue, Tier = e.Tier, Type = e.Type, Worker = e.Worker, Dispatch = e.Dispatch,
                    ReleasesCapacity = e.ReleasesCapacity,
                }, []));
            }

            last[e.TaskId] = index;
            rows[index].Events.Add(e);
        }

        foreach (var (row, packed) in rows)
        {
            row.At = packed.Max(e => e.At);
            row.Earlier = packed.Exists(e => e.At != row.At) ? [.. packed.Select(e => MicrosBefore(row.At, e.At))] : null;
            row.Ids = [.. packed.Select(e => e.TaskId)];
            row.Attempts = [.. packed.Select(e => e.Attempt)];
            row.DueTimes = packed.Exists(e => e.DueAt is not null) ? [.. packed.Select(e => e.DueAt)] : null;
            row.Errors = packed.Exists(e => e.Error is not null) ? [.. packed.Select(e => e.PublishedError)] : null;
        }

        return [.. rows.Select(r => r.Row)];
    }

    /// <summary>The events of a row behind an offset.</summary>
    public static IEnumerable<TaskEvent> Unpack(OutboxRow row, long offset = 0)
    {
        for (var i = 0; i < row.Ids.Length; i++)
        {
            var id = (row.Id << PlaceBits) | (i == row.Ids.Length - 1 ? LastPlace : i);
            if (id <= offset)
                continue;
            yield return new TaskEvent
            {
                Partition = row.Partition,
                Id = id,
                TaskId = row.Ids[i],
                Type = row.Type,
                Queue = row.Queue,
                Tier = row.Tier,
                Attempt = row.Attempts[i],
                Worker = row.Worker,
                Error = row.Errors?[i],
                At = row.At.AddMicroseconds(-(row.Earlier?[i] ?? 0)),
                DueAt = row.DueTimes?[i],
                Dispatch = row.Dispatch,
                ReleasesCapacity = row.ReleasesCapacity,
            };
        }
    }

    private static int MicrosBefore(DateTime last, DateTime at) =>
        (int)Math.Min(int.MaxValue, (last - at).Ticks / TimeSpan.TicksPerMicrosecond);

    /// <summary>The last row of which nothing is left to read at an offset.</summary>
    public static long RowsRead(long offset) => (offset >> PlaceBits) - ((offset & LastPlace) == LastPlace ? 0 : 1);

    /// <summary>The same for each partition.</summary>
    public static long[] RowsRead(IEnumerable<long> offsets) => [.. offsets.Select(RowsRead)];

    /// <summary>The offset behind a row; 0 for none.</summary>
    public static long Behind(long row) => row == 0 ? 0 : (row << PlaceBits) | LastPlace;

    /// <summary>The row of an event.</summary>
    public static long RowOf(long id) => id >> PlaceBits;

    /// <summary>
    /// The events of a read, cut to its complete part: events of one task may be in several partitions, and a partition that returned the
    /// maximum may have more, so later rows must wait for them.
    /// </summary>
    /// <param name="rows">Rows by id.</param>
    /// <param name="offsets">The offset of each partition.</param>
    /// <param name="max">Maximum of events of a partition; the row that reaches it is read whole.</param>
    /// <param name="isCut">Whether there may be rows after the last of all partitions.</param>
    public static List<TaskEvent> Complete(List<OutboxRow> rows, long[] offsets, int max, bool isCut = false)
    {
        var cut = rows.GroupBy(r => r.Partition).Where(g => g.Sum(r => r.Ids.Length) >= max).Select(g => g.Max(r => r.Id))
            .DefaultIfEmpty(isCut ? rows[^1].Id : long.MaxValue).Min();
        return [.. rows.Where(r => r.Id <= cut).SelectMany(r => Unpack(r, offsets[r.Partition]))];
    }
}
