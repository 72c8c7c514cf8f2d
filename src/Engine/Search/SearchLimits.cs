namespace TaskQueue.Engine.Search;

/// <summary>What a page of a search may cost; a page that ends at a limit says where to continue.</summary>
public sealed record SearchLimits
{
    /// <summary>Most tasks that are looked at.</summary>
    public int MaxExamined { get; init; } = 5000;

    /// <summary>No further step begins after this time.</summary>
    public TimeSpan MaxTime { get; init; } = TimeSpan.FromMilliseconds(25);

    /// <summary>Tasks of a step.</summary>
    public int Step { get; init; } = 500;

    /// <summary>An index with fewer tasks of its key is read whole, where ids do not say when tasks were accepted.</summary>
    public int Few { get; init; } = 1000;

    /// <summary>Tasks of the step by which one of several indexes is chosen.</summary>
    public int FirstStep { get; init; } = 100;
}
