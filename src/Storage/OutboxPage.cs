using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage;

/// <summary>A read of the outbox: rows of all partitions in id order, up to a number of events of each and of characters of all.</summary>
/// <param name="offsets">The offset of each partition.</param>
/// <param name="max">Maximum of events of a partition; the row that reaches it is read whole.</param>
internal sealed class OutboxPage(long[] offsets, int max)
{
    /// <summary>Maximum characters of errors; the row that reaches it is read whole.</summary>
    public const int MaxChars = 2 * 1024 * 1024;

    private readonly List<OutboxRow> _rows = [];
    private long _chars;

    /// <summary>Whether the read ends, although there may be more rows.</summary>
    public bool IsFull => _chars >= MaxChars;

    /// <summary>Adds the next row.</summary>
    public void Add(OutboxRow row)
    {
        _rows.Add(row);
        _chars += row.Errors?.Sum(e => (long)(e?.Length ?? 0)) ?? 0;
    }

    /// <summary>The events that no later read can precede.</summary>
    public List<TaskEvent> Events() => OutboxRows.Complete(_rows, offsets, max, IsFull);
}
