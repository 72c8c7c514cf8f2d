using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Search;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Search;

/// <summary>
/// How the tasks of a search can be found. Each way is one or more walks that together have all of them; the first step of a page tries
/// every way, and the page goes on with the one that has the most hits.
/// </summary>
/// <param name="States">States that the tasks may have; empty if none is possible.</param>
/// <param name="Ways">The ways, the most selective first as far as that is known without looking; none if nothing can be found.</param>
/// <param name="Listed">
/// The tasks, among others, that are not where their own ids are; null if there are none, as items of batches have the server's.
/// </param>
internal sealed record SearchPlan(IReadOnlySet<int> States, IReadOnlyList<IReadOnlyList<SearchWalk>> Ways, SearchWalk? Listed = null)
{
    /// <summary>Rare tags are found without trying many.</summary>
    private const int MostTags = 4;

    private static readonly int[] Ended = [TaskStates.Completed, TaskStates.Failed, TaskStates.Cancelled, TaskStates.Expired];

    /// <param name="search">The search.</param>
    /// <param name="scheduleId">The schedule that it names; null if it names none.</param>
    /// <param name="access">What the caller may see.</param>
    public static SearchPlan Of(TaskSearch search, int? scheduleId, Access access)
    {
        var states = StatesOf(search);
        var owner = access.Others.IsNone ? access.Tenant : search.Owner;
        if (states.Count == 0 || (access.Others.IsNone && (owner is null || (search.Owner is { } other && other != owner))))
            return new SearchPlan(states, []);
        if (search.Id is { } id)
            return new SearchPlan(states, [[SearchWalk.One(id)]]);
        List<IReadOnlyList<SearchWalk>> ways = [];
        if (search.BatchId is { } batch)
            ways.Add([SearchWalk.Batch(batch)]);
        if (scheduleId is { } schedule)
            ways.Add([SearchWalk.Schedule(schedule)]);
        if (search.OrderingKey is { } key)
            ways.Add([.. StoredKeys(key, owner, access).Select(SearchWalk.OrderingKey)]);
        ways.AddRange(search.Tags.Take(MostTags).Select(tag => (IReadOnlyList<SearchWalk>)[SearchWalk.Tag(tag, owner)]));
        if (states.Count < TaskStates.All.Count())
            ways.Add([.. ByState(states, owner)]);
        if (search.Queue is { } queue)
            ways.Add([SearchWalk.Queue(queue)]);
        if (owner is not null)
            ways.Add([SearchWalk.Owner(owner)]);
        if (ways.Count == 0)
            ways.Add([SearchWalk.All()]);
        return new SearchPlan(states, ways, search.BatchId is null ? SearchWalk.Listed(owner, search.Queue) : null);
    }

    /// <summary>
    /// The stored forms of an ordering key: with its tenant. An operator who names no owner means those without, and its own.
    /// </summary>
    public static IEnumerable<string> StoredKeys(string key, string? owner, Access access) =>
        owner is not null ? [TenantKey.Of(owner, key)!]
        : access.Tenant is null ? [key]
        : [key, TenantKey.Of(access.Tenant, key)!];

    /// <summary>The states that are asked for, as far as tasks in them can meet the other conditions.</summary>
    private static HashSet<int> StatesOf(TaskSearch search)
    {
        HashSet<int> states = search.States.Count == 0 ? [.. TaskStates.All]
            : [.. search.States.Select(s => s == TaskSearch.Scheduled ? TaskStates.Pending : s)];
        if (search.Error is not null)
            states.ExceptWith([TaskStates.Pending, TaskStates.Completed]);
        if (search.Worker is not null)
            states.Remove(TaskStates.Pending);
        if (search.FinishedFrom is not null || search.FinishedTo is not null)
            states.IntersectWith(Ended);
        return states;
    }

    /// <remarks>In the order in which tasks end, so that one that moves on between two reads is read twice and not never.</remarks>
    private static IEnumerable<SearchWalk> ByState(HashSet<int> states, string? owner) =>
        [.. Waiting(states, owner), .. states.Where(s => s == TaskStates.Running).Select(_ => SearchWalk.Running()),
            .. InEnd(states, owner)];

    private static IEnumerable<SearchWalk> Waiting(HashSet<int> states, string? owner)
    {
        int[] waiting = [.. states.Where(s => s is TaskStates.Pending or TaskStates.Retrying)];
        return owner is not null ? waiting.Select(state => SearchWalk.WaitingOf(owner, state))
            : waiting.Contains(TaskStates.Pending) ? [SearchWalk.Waiting()]
            : waiting.Select(_ => SearchWalk.Retrying());
    }

    private static IEnumerable<SearchWalk> InEnd(HashSet<int> states, string? owner)
    {
        int[] ended = [.. states.Intersect(Ended)];
        return owner is not null ? ended.Select(state => SearchWalk.EndedOf(owner, state))
            : ended.Contains(TaskStates.Completed) ? [SearchWalk.Ended()]
            : ended.Select(SearchWalk.Unsuccessfully);
    }
}
