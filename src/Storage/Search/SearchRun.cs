using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Search;

namespace TaskQueue.Storage.Search;

/// <summary>
/// Finds the tasks of one page: chooses a way, walks it and checks what it meets, until the page is full, its tasks are counted, the way
/// ends, or a limit is reached.
/// </summary>
internal sealed class SearchRun(
    TaskDbContext db, SearchPlan plan, SearchChecks checks, SearchRange range, SearchLimits limits, TimeProvider time)
{
    /// <summary>Ids of a check. For a longer list PostgreSQL would rather read a table whole, in parallel, unless it is large.</summary>
    private const int Checked = 100;

    private readonly long _start = time.GetTimestamp();
    private Guid? _first;
    private Guid? _last;

    /// <summary>The tasks of the page, newest first.</summary>
    public List<Hit> Page { get; } = [];

    /// <summary>The hits so far, on the page or after it.</summary>
    public int Hits { get; private set; }

    /// <summary>Tasks that were looked at.</summary>
    public int Examined { get; private set; }

    /// <summary>The way that was walked; null if there is none.</summary>
    public IReadOnlyList<SearchWalk>? Way { get; private set; }

    /// <summary>Whether all tasks of the way were looked at.</summary>
    public bool IsAtEnd { get; private set; } = true;

    /// <summary>The last task that was looked at: before it the search has found everything.</summary>
    public Guid? Last => _last;

    /// <summary>The page has ids before this one; null is the end.</summary>
    public Guid? Before => range.Before;

    /// <param name="max">Tasks of the page.</param>
    /// <param name="counts">Hits that are enough.</param>
    /// <param name="estimates">Whether to estimate their number if they were not all found.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task RunAsync(int max, int counts, bool estimates, CancellationToken cancellationToken)
    {
        if (await ChooseAsync(cancellationToken) is not { } chosen)
            return;
        var (walker, step) = (chosen.Walker, chosen.Step);
        while (true)
        {
            Take(step, max);
            IsAtEnd = walker.IsAtEnd;
            if (IsAtEnd || Hits >= counts || Examined >= limits.MaxExamined || time.GetElapsedTime(_start) >= limits.MaxTime)
                break;
            step = await ReadAsync(walker, Math.Min(limits.Step, limits.MaxExamined - Examined), cancellationToken);
        }

        if (!IsAtEnd && estimates)
            await EstimateAsync(walker, cancellationToken);
    }

    /// <summary>The number of hits that all of the way would have, if they are as frequent among older tasks.</summary>
    public long Estimate { get; private set; }

    private async Task EstimateAsync(SearchWalker walker, CancellationToken cancellationToken)
    {
        Estimate = Hits;
        if (_first is not { } first || _last is not { } last
            || await walker.OldestAsync(db, cancellationToken) is not { } oldest)
            return;
        var (seen, all) = (SearchRange.Position(first) - SearchRange.Position(last),
            SearchRange.Position(first) - SearchRange.Position(oldest));
        if (seen > 0 && all > seen)
            Estimate = Round(Hits * (all / seen));
    }

    /// <summary>An estimate has two digits that mean something.</summary>
    private static long Round(double count)
    {
        var unit = Math.Pow(10, Math.Max(0, Math.Floor(Math.Log10(Math.Max(1, count))) - 1));
        return (long)Math.Min(Math.Round(count / unit) * unit, 1e15);
    }

    /// <summary>The first step of every way: one that has no more tasks is done; else the one with the most hits goes on.</summary>
    private async Task<(SearchWalker Walker, Step Step)?> ChooseAsync(CancellationToken cancellationToken)
    {
        (SearchWalker Walker, Step Step)? best = null;
        foreach (var way in plan.Ways)
        {
            var walker = new SearchWalker(way, range);
            var step = await ReadAsync(walker, plan.Ways.Count == 1 ? limits.Step : limits.FirstStep, cancellationToken);
            if (best is null || walker.IsAtEnd || step.Hits.Count > best.Value.Step.Hits.Count)
                (best, Way) = ((walker, step), way);
            if (walker.IsAtEnd)
                break;
        }

        return best;
    }

    private async Task<Step> ReadAsync(SearchWalker walker, int max, CancellationToken cancellationToken)
    {
        var ids = await walker.NextAsync(db, max, cancellationToken);
        Examined += ids.Count;
        var hits = new Dictionary<Guid, Hit>();
        foreach (var some in ids.Chunk(Checked))
        {
            foreach (var hit in await checks.Filter(db, [.. some]).AsNoTracking().Select(Hit.Of).ToListAsync(cancellationToken))
                hits[hit.Id] = hit;
        }

        return new Step(ids, hits);
    }

    private void Take(Step step, int max)
    {
        foreach (var id in step.Ids)
        {
            _first ??= id;
            _last = id;
            if (!step.Hits.TryGetValue(id, out var hit))
                continue;
            Hits++;
            if (Page.Count < max)
                Page.Add(hit);
        }
    }

    private sealed record Step(List<Guid> Ids, Dictionary<Guid, Hit> Hits);
}
