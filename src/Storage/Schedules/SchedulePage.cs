using System.Text;
using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Schedules;

namespace TaskQueue.Storage.Schedules;

/// <summary>
/// Finds the schedules of a page of all queues. The owner is inside the settings, which the database does not read: rows are read one
/// after the other, and none is kept.
/// </summary>
internal sealed class SchedulePage(Access access, (string Queue, string Name)? after, int max)
{
    /// <summary>Rows of a query: what is left of them when a page ends early is read for nothing.</summary>
    private const int Step = 20;

    /// <summary>Rows that are looked at.</summary>
    internal const int MaxExamined = 1000;

    /// <summary>Bytes of settings that are looked at, and those of a page; a single schedule may have more.</summary>
    private const long MaxExaminedBytes = 16 * 1024 * 1024, MaxBytes = 4 * 1024 * 1024;

    private (string Queue, string Name)? _last = after;
    private int _examined;
    private long _examinedBytes;

    /// <summary>The schedules.</summary>
    public List<int> Ids { get; } = [];

    /// <summary>Bytes of their settings.</summary>
    public long Bytes { get; private set; }

    /// <summary>After which schedule the next page begins; null if there is none.</summary>
    public (string Queue, string Name)? Next { get; private set; }

    /// <summary>Finds them.</summary>
    public async Task FindAsync(TaskDbContext db, CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = 0;
            await foreach (var row in Rows(db).AsAsyncEnumerable().WithCancellation(cancellationToken))
            {
                if (!TryTake(row))
                {
                    Next = _last;
                    return;
                }

                read++;
                _last = (row.Queue, row.Name);
            }

            if (read < Step)
                return;
        }
    }

    private IQueryable<ScheduleRecord> Rows(TaskDbContext db)
    {
        var rows = db.Schedules.AsNoTracking();
        if (_last is var (queue, name))
            rows = rows.Where(s => string.Compare(s.Queue, queue) > 0 || (s.Queue == queue && string.Compare(s.Name, name) > 0));
        return rows.OrderBy(s => s.Queue).ThenBy(s => s.Name).Take(Step);
    }

    /// <returns>False if the page ends before the row.</returns>
    private bool TryTake(ScheduleRecord row)
    {
        if (_examined >= MaxExamined || _examinedBytes >= MaxExaminedBytes)
            return false;
        var bytes = BytesOf(row.Settings);
        if (access.CanRead(row.Settings.Owner, row.Queue))
        {
            if (Ids.Count >= max || (Ids.Count > 0 && Bytes + bytes > MaxBytes))
                return false;
            Ids.Add(row.Id);
            Bytes += bytes;
        }

        _examined++;
        _examinedBytes += bytes;
        return true;
    }

    private static long BytesOf(ScheduleSettings settings) =>
        Encoding.UTF8.GetByteCount(settings.Payload) + Encoding.UTF8.GetByteCount(settings.Description)
            + (settings.Headers is { } headers ? Encoding.UTF8.GetByteCount(headers) : 0);
}
