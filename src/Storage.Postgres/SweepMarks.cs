using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Postgres;

/// <summary>
/// Low-water marks of sweeps: before them this process found nothing. A sweep searches from there, and so does not read again the index
/// entries of rows that are gone, which an old snapshot may keep for hours. Now and then it searches from the beginning, for what another
/// process has written with an earlier time.
/// </summary>
internal sealed class SweepMarks
{
    /// <summary>
    /// Longest time by which a row may be committed after the time it is to be found: a lease lasts a second or more, and PostgreSQL ends a
    /// transaction that does nothing for two.
    /// </summary>
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(2);

    private readonly Lock _gate = new();
    private readonly Dictionary<Sweep, Look> _marks = [];
    private int _forgotten;

    /// <summary>Where to search from.</summary>
    public DateTime Of(Sweep sweep)
    {
        lock (_gate)
            return _marks.TryGetValue(sweep, out var mark) ? mark.From : DateTime.UnixEpoch;
    }

    /// <summary>A search begins.</summary>
    public Look Begin(Sweep sweep, DateTime now)
    {
        lock (_gate)
        {
            var mark = _marks.GetValueOrDefault(sweep, new Look(DateTime.UnixEpoch, default, IsFull: true, _forgotten));
            return mark.Looked.IsOver(now)
                ? new Look(DateTime.UnixEpoch, mark.Looked.Begin(now), IsFull: true, _forgotten)
                : mark with { IsFull = false };
        }
    }

    /// <summary>A search has ended.</summary>
    /// <param name="sweep">The sweep.</param>
    /// <param name="look">What it began with.</param>
    /// <param name="now">When it began.</param>
    /// <param name="reached">Before this time it found nothing.</param>
    /// <param name="cost">How long it took.</param>
    public void End(Sweep sweep, Look look, DateTime now, DateTime reached, TimeSpan cost)
    {
        var from = reached < now - Slack ? reached : now - Slack;
        lock (_gate)
        {
            if (look.Forgotten != _forgotten)
                return;
            var looked = look.IsFull ? look.Looked.End(cost) : look.Looked;
            _marks[sweep] = look with { From = from > look.From ? from : look.From, Looked = looked };
        }
    }

    /// <summary>Times were moved: whatever was found out no longer holds.</summary>
    public void Forget()
    {
        lock (_gate)
        {
            _forgotten++;
            _marks.Clear();
        }
    }

    /// <summary>A search.</summary>
    /// <param name="From">Where it searches from.</param>
    /// <param name="Looked">When the last search from the beginning was, or is.</param>
    /// <param name="IsFull">Whether it is one.</param>
    /// <param name="Forgotten">How often marks had been forgotten when it began.</param>
    internal sealed record Look(DateTime From, LookInterval Looked, bool IsFull, int Forgotten);
}
