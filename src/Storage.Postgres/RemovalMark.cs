namespace TaskQueue.Storage.Postgres;

/// <summary>
/// Up to which time of deletion this process has removed tasks. The next step searches from there: until vacuum may remove the dead
/// entries before it, which an old snapshot can prevent for hours, each step would read all of them again. Every <see cref="FullLook"/>
/// it searches from the beginning, for tasks that another process deleted at an earlier time.
/// </summary>
internal sealed class RemovalMark
{
    /// <summary>Longest time for which a task may be overlooked.</summary>
    private static readonly TimeSpan FullLook = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private DateTime _from = DateTime.UnixEpoch, _before = DateTime.UnixEpoch;
    private DateTime _lookedAt = DateTime.UnixEpoch;

    /// <summary>Where a step that begins now searches from.</summary>
    public DateTime Begin(DateTime now)
    {
        lock (_lock)
        {
            if (now < _lookedAt || now - _lookedAt >= FullLook)
                (_before, _from, _lookedAt) = (_from, DateTime.UnixEpoch, now);
            return _from;
        }
    }

    /// <summary>A step has removed tasks up to this time of deletion.</summary>
    public void Reached(DateTime deletedAt)
    {
        lock (_lock)
            _from = deletedAt > _from ? deletedAt : _from;
    }

    /// <summary>A step has found nothing: there is nothing before the mark either.</summary>
    public void FoundNothing()
    {
        lock (_lock)
            _from = _before > _from ? _before : _from;
    }
}
