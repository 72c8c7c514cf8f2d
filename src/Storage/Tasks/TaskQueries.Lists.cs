using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Search;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage.Encryption;
using TaskQueue.Storage.Search;

namespace TaskQueue.Storage.Tasks;

/// <summary>Lists of tasks.</summary>
internal sealed partial class TaskQueries
{
    /// <summary>See <see cref="SqlStates.Unsuccessful"/>.</summary>
    private static readonly List<int> Unsuccessful = [TaskStates.Failed, TaskStates.Cancelled, TaskStates.Expired];

    /// <summary>Pages of a search for a list, each of which takes about as long as <see cref="SearchLimits.MaxTime"/>.</summary>
    private const int MostPages = 10;

    public async Task<IReadOnlyList<TaskState>> NewestAsync(int? state, int max, Access access, CancellationToken cancellationToken,
        ReserveAnswer? reserve = null)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var newest = await SearchWalk.Listed(access.Others.IsNone ? access.Tenant : null).HasAnyAsync(db, cancellationToken)
            ? await FindAsync(db, state, max, access, cancellationToken)
            : state is { } one ? InState(Views(db, access), one, access)
            : await NewestAsync(db, max, access, cancellationToken);
        var sizes = await Newest(newest, max).ToListAsync(cancellationToken);
        sizes.Sort((a, b) => b.ListedAs.CompareTo(a.ListedAs));
        return await ReadAsync(db, SizedTask.Cut(sizes, memory.Value.MaxAnswerBytes, out var bytes), bytes, reserve,
            cancellationToken);
    }

    /// <summary>
    /// By a search, which knows of tasks that are not where their own ids are. If it meets few in the state, those with the greatest ids
    /// complete the list.
    /// </summary>
    private async Task<IQueryable<TaskState>> FindAsync(
        TaskDbContext db, int? state, int max, Access access, CancellationToken cancellationToken)
    {
        var search = new TaskSearch { States = state is { } wanted ? [wanted] : [] };
        var ids = new HashSet<Guid>();
        SearchCursor? from = SearchCursor.First;
        for (var pages = 0; pages < MostPages && from is not null && ids.Count < max; pages++)
        {
            var page = await searches.FindIdsAsync(search, from, max - ids.Count, access, cancellationToken);
            ids.UnionWith(page.Ids);
            from = page.Next;
        }

        if (from is not null && ids.Count < max && state is { } one)
        {
            var others = InState(Views(db, access), one, access).OrderByDescending(t => t.CorrelationId).Select(t => t.CorrelationId);
            ids.UnionWith(await others.Take(max).ToListAsync(cancellationToken));
        }

        List<Guid> found = [.. ids.Take(max)];
        return Tasks(db, Access.All).Where(t => found.Contains(t.CorrelationId));
    }

    /// <summary>In the order of <c>tasks</c>, since a union of the others would have to be sorted as a whole.</summary>
    private async Task<IQueryable<TaskState>> NewestAsync(TaskDbContext db, int max, Access access, CancellationToken cancellationToken)
    {
        var now = Micros.Now(time);
        var ids = await access.Filter(db.Submitted.AsNoTracking())
            .Where(t => !db.Outcomes.Any(o => o.CorrelationId == t.CorrelationId && o.DeleteAt <= now))
            .OrderByDescending(t => t.CorrelationId).Select(t => t.CorrelationId).Take(max).ToListAsync(cancellationToken);
        return Tasks(db, Access.All).Where(t => ids.Contains(t.CorrelationId));
    }

    internal static IQueryable<SizedTask> Newest(IQueryable<TaskState> tasks, int max) =>
        tasks.OrderByDescending(t => t.CorrelationId).Take(max).Select(SizedTask.Of);

    /// <summary>
    /// A partial index needs a constant the planner sees. SQLite also needs the whole condition of the index, but must not see it where the
    /// index of owners reads less.
    /// </summary>
    internal static IQueryable<TaskState> InState(TaskViewsOf tasks, int state, Access access) => state switch
    {
        TaskStates.Running => tasks.Running,
        TaskStates.Pending or TaskStates.Retrying => tasks.Waiting.Where(t => t.State == EF.Constant(state)),
        _ when state == TaskStates.Completed || access.Others.IsNone => tasks.Ended.Where(t => t.State == EF.Constant(state)),
        _ => tasks.Ended.Where(t => EF.Constant(Unsuccessful).Contains(t.State) && t.State == EF.Constant(state)),
    };

    public async Task<TaskPage> ListAsync(
        string queue, TaskList list, TaskCursor? from, int max, Access access, CancellationToken cancellationToken, bool back = false,
        ReserveAnswer? reserve = null)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var tiers = list == TaskList.Waiting ? await TiersAsync(db, queue, cancellationToken) : [];
        var found = await TaskLists.Page(Views(db, access), queue, list, from, max + 1, back, tiers)
            .ToListAsync(cancellationToken); // one more tells whether there are more
        var page = SizedTask.Cut(found.Count > max ? found[..max] : found, memory.Value.MaxAnswerBytes, out var bytes);
        var hasMore = page.Count < found.Count;
        if (back)
            page.Reverse();
        return new TaskPage(
            await ReadAsync(db, page, bytes, reserve, cancellationToken), page.FirstOrDefault()?.Cursor(list),
            page.LastOrDefault()?.Cursor(list), hasMore);
    }

    /// <summary>The tiers in which tasks of a queue wait, each found by one look into an index; none if there are many.</summary>
    private static async Task<List<int>> TiersAsync(TaskDbContext db, string queue, CancellationToken cancellationToken)
    {
        var tiers = new List<int>();
        while (tiers.Count <= TaskLists.MaxTiers)
        {
            var last = tiers.Count == 0 ? int.MinValue : tiers[^1];
            var next = await TaskLists.Claimable(db.Ready.AsNoTracking()).Where(t => t.Queue == queue && t.Tier > last)
                .OrderBy(t => t.Tier).Select(t => (int?)t.Tier).FirstOrDefaultAsync(cancellationToken);
            if (next is null)
                return tiers;
            tiers.Add(next.Value);
        }

        return [];
    }

    public async Task<List<TaskCursor>> DeadAsync(string queue, TaskCursor? from, int max, CancellationToken cancellationToken,
        Access? access = null)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await TaskLists.Page(Views(db, access ?? Access.All), queue, TaskList.Dead, from, max, back: false)
            .Select(t => new TaskCursor(t.FinishedAt ?? DateTime.UnixEpoch, t.Id)).ToListAsync(cancellationToken);
    }

    public async Task<List<Guid>> LiveIdsAsync(string queue, Guid? from, DateTime before, int max, Access access,
        CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var (waiting, running, ended) = Views(db, access);
        var old = new TaskViewsOf(
            waiting.Where(t => t.CreatedAt <= before), running.Where(t => t.CreatedAt <= before), ended.Where(t => t.CreatedAt <= before));
        return await TaskLists.Page(old, queue, TaskList.Live, from is { } id ? new TaskCursor(default, id) : null, max, back: false)
            .Select(t => t.Id).ToListAsync(cancellationToken);
    }

    public async Task<List<Guid>> WaitingIdsAsync(QueueTier tier, DateTime before, int max, Access access,
        CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var here = access.Filter(db.Ready.AsNoTracking())
            .Where(t => t.Queue == tier.Queue && t.Tier == tier.Tier && t.CreatedAt <= before);
        return await TaskLists.Claimable(here).Concat(TaskLists.Blocked(here)).Select(t => t.CorrelationId).Take(max)
            .ToListAsync(cancellationToken);
    }

    private async Task<IReadOnlyList<TaskState>> ReadAsync(
        TaskDbContext db, List<SizedTask> page, long bytes, ReserveAnswer? reserve, CancellationToken cancellationToken)
    {
        if (page.Count == 0)
            return [];
        if (reserve is not null)
            await reserve(bytes, page.Count, cancellationToken);
        var ids = page.ConvertAll(t => t.Id);
        // They have passed the filter: another would make the planner look for all tasks of the owner.
        var tasks = await Tasks(db, Access.All).Where(t => ids.Contains(t.CorrelationId))
            .ToDictionaryAsync(t => t.CorrelationId, cancellationToken);
        return db.Open(ids.Where(tasks.ContainsKey).Select(id => tasks[id]).ToList());
    }
}
