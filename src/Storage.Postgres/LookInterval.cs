namespace TaskQueue.Storage.Postgres;

/// <summary>
/// When an index is next read from its beginning rather than from a mark. While an old snapshot keeps dead rows in it, that may take
/// seconds: it may then use a tenth of the time.
/// </summary>
/// <param name="At">When the last look began.</param>
/// <param name="Cost">How long the last look took.</param>
/// <param name="Pause">Time from the last look to the next.</param>
internal readonly record struct LookInterval(DateTime At, TimeSpan Cost, TimeSpan Pause)
{
    /// <summary>Normal time between two looks.</summary>
    public static readonly TimeSpan Shortest = TimeSpan.FromSeconds(2);

    private const int Share = 10;

    /// <summary>Whether it is time to look, or the clock went back.</summary>
    public bool IsOver(DateTime now) => now < At || now - At >= Pause;

    /// <summary>A look begins: nobody else looks for a while.</summary>
    public LookInterval Begin(DateTime now) => new(now, Cost, Pause > Shortest ? Pause : Shortest);

    /// <summary>A look took this long. Once may be an accident, so the cheaper of the last two looks counts.</summary>
    public LookInterval End(TimeSpan cost)
    {
        var typical = Share * (cost < Cost ? cost : Cost);
        return this with { Cost = cost, Pause = typical > Shortest ? typical : Shortest };
    }
}
