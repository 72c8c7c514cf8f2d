using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Search;
using TaskQueue.Engine.Tasks;

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

    private long _start = time.GetTimestamp();
    private SearchWalk? _listed;
    private SearchRange _range = range;
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
    public Guid? Before => _range.Before;

    /// <param name="max">Tasks of the page.</param>
    /// <param name="counts">Hits that are enough.</param>
    /// <param name="estimates">Whether to estimate their number if they were not all found.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task RunAsync(int max, int counts, bool estimates, CancellationToken cancellationToken)
    {
        if (plan.Listed is { } listed && await listed.HasAnyAsync(db, cancellationToken))
        {
            if (await FindWholeAsync(max, cancellationToken))
                return;
            _start = time.GetTimestamp(); // this took about as long, and is as bounded
            (_listed, _range) = (listed, _range.Below(ListingIds.End(time.GetUtcNow().UtcDateTime)));
        }

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

    /// <summary>
    /// Finds the tasks of a way that has few, so that they can be sorted, wherever their own ids are: a rare filter remains quick.
    /// </summary>
    /// <returns>False if no way has few.</returns>
    private async Task<bool> FindWholeAsync(int max, CancellationToken cancellationToken)
    {
        foreach (var way in plan.Ways)
        {
            var keys = new List<SearchKey>();
            foreach (var walk in way.TakeWhile(_ => keys.Count < limits.Few))
                keys.AddRange(await walk.Keys(db).OrderByDescending(k => k.ListedAs).Take(limits.Few).ToListAsync(cancellationToken));
            if (keys.Count >= limits.Few)
                continue;
            List<Hit> hits = [.. (await CheckAsync(keys, cancellationToken)).Values.OrderByDescending(h => h.ListedAs)];
            if (_range.Before is { } before)
                hits.RemoveAll(h => h.ListedAs >= before);
            (Way, Hits) = (way, hits.Count);
            Page.AddRange(hits.Take(max));
            return true;
        }

        return false;
    }

    /// <summary>The number of hits that all of the way would have, if they are as frequent among older tasks.</summary>
    public long Estimate { get; private set; }

    private async Task EstimateAsync(SearchWalker walker, CancellationToken cancellationToken)
    {
        Estimate = Hits;
        if (_first is not { } first || _last is not { } last
            || await walker.OldestAsync(db, _listed is not null, cancellationToken) is not { } oldest)
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
            var walker = new SearchWalker(_listed is null ? way : [.. way, _listed], _range);
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
        var keys = await walker.NextAsync(db, max, cancellationToken);
        return new Step(keys, await CheckAsync(keys, cancellationToken));
    }

    private async Task<Dictionary<Guid, Hit>> CheckAsync(List<SearchKey> keys, CancellationToken cancellationToken)
    {
        Examined += keys.Count;
        var hits = new Dictionary<Guid, Hit>();
        foreach (var some in keys.Chunk(Checked))
        {
            List<Guid> ids = [.. some.Select(k => k.Id)];
            foreach (var hit in await checks.Filter(db, ids).AsNoTracking().Select(Hit.Of).ToListAsync(cancellationToken))
                hits[hit.Id] = hit;
        }

        return hits;
    }

    private void Take(Step step, int max)
    {
        foreach (var key in step.Keys)
        {
            _last = key.ListedAs;
            var isHit = step.Hits.TryGetValue(key.Id, out var hit) && hit.ListedAs == key.ListedAs;
            if (isHit || _listed is null || key.ListedAs != key.Id)
                _first ??= key.ListedAs; // others may be anywhere
            if (!isHit)
                continue;
            Hits++;
            if (Page.Count < max)
                Page.Add(hit!);
        }
    }

    private sealed record Step(List<SearchKey> Keys, Dictionary<Guid, Hit> Hits);
}
