namespace TaskQueue.Engine.Audit;

/// <summary>
/// Aggregates entries that occur too often for a row each: entries with the same action, actor, address and result within a minute share
/// one row with a count. The number of rows a minute is bounded, whatever callers send.
/// </summary>
internal sealed class AuditWindows(TimeProvider time)
{
    /// <summary>Maximum number of concurrent rows; further entries share one row for each action and result.</summary>
    public const int MaxRows = 200;

    private static readonly TimeSpan Length = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan BetweenUpdates = TimeSpan.FromSeconds(5);

    private readonly Dictionary<Key, Window> _windows = [];
    private readonly Lock _lock = new();

    /// <summary>Counts an entry.</summary>
    /// <param name="entry">The entry to count.</param>
    /// <param name="place">Separates targets from each other; a bounded set of values, such as the pattern of a route.</param>
    /// <returns>Whether the entry is the first of its row.</returns>
    public bool Add(AuditEntry entry, string? place)
    {
        var now = time.GetUtcNow().UtcDateTime;
        var key = new Key(entry.Action, entry.Result, entry.Actor, entry.Tenant, entry.Address, place);
        lock (_lock)
        {
            if (!_windows.TryGetValue(key, out var window) && _windows.Count >= MaxRows)
            {
                key = new Key(entry.Action, entry.Result, null, null, null, null);
                entry = new AuditEntry(entry.Action, entry.Result) { Target = "several" };
                _windows.TryGetValue(key, out window);
            }

            if (window is not null)
            {
                window.Count++;
                window.Last = now;
                return false;
            }

            _windows.Add(key, new Window(entry, now));
            return true;
        }
    }

    /// <summary>The rows that are due to be written.</summary>
    /// <param name="isLast">Whether the process is stopping, so that every row is due.</param>
    public List<Change> Due(bool isLast)
    {
        var now = time.GetUtcNow().UtcDateTime;
        lock (_lock)
        {
            List<Change> due = [];
            foreach (var (key, window) in _windows)
            {
                var isOver = now - window.First >= Length || now < window.First;
                if (isOver || isLast || window.RowId is null || (window.Count > window.Written && now - window.WrittenAt >= BetweenUpdates))
                    due.Add(new Change(key, window, window.Count, window.Last, isOver));
            }

            return due;
        }
    }

    /// <summary>Records that a row was written.</summary>
    public void Written(Change change, long? rowId)
    {
        lock (_lock)
        {
            var window = change.Window;
            (window.RowId, window.Written, window.WrittenAt) = (rowId ?? window.RowId, change.Count, time.GetUtcNow().UtcDateTime);
            if (change.IsOver && window.Count == window.Written)
                _windows.Remove(change.Key);
        }
    }

    internal sealed record Key(string Action, string Result, string? Actor, string? Tenant, string? Address, string? Place);

    internal sealed class Window(AuditEntry entry, DateTime first)
    {
        public AuditEntry Entry { get; } = entry;

        public DateTime First { get; } = first;

        public DateTime Last { get; set; } = first;

        public long Count { get; set; } = 1;

        public long Written { get; set; }

        public DateTime WrittenAt { get; set; }

        public long? RowId { get; set; }
    }

    /// <summary>A snapshot of a row and its count.</summary>
    internal sealed record Change(Key Key, Window Window, long Count, DateTime Last, bool IsOver);
}
