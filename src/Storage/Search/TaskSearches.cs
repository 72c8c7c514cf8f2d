using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Memory;
using TaskQueue.Engine.Search;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage.Encryption;

namespace TaskQueue.Storage.Search;

/// <summary>Searches tasks through the indexes that their tables have, with the same queries on every database.</summary>
internal sealed class TaskSearches(
    IDbContextFactory<TaskDbContext> databases, IOptions<MemoryOptions> memory, DataCipher cipher, SearchLimits limits, TimeProvider time)
    : ITaskSearch
{
    public async Task<TaskSearchPage> SearchAsync(
        TaskSearch search, SearchPaging page, Access access, ReserveAnswer reserve, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(page);
        ArgumentNullException.ThrowIfNull(reserve);
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var run = await RunAsync(db, search, page.From, page.Max, access, cancellationToken);
        var hits = Cut(run.Page, page.Payloads, out var bytes);
        if (hits.Count > 0)
            await reserve(bytes, hits.Count, cancellationToken);
        var total = TotalOf(run, page.From);
        return new TaskSearchPage(
            await ReadAsync(db, hits, page.Payloads, cancellationToken), NextOf(run, hits, total, access), total);
    }

    public async Task<TaskSearchIds> FindIdsAsync(
        TaskSearch search, SearchCursor? from, int max, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var run = await RunAsync(db, search, from, max, access, cancellationToken);
        var total = TotalOf(run, from);
        return new TaskSearchIds(
            run.Page.ConvertAll(h => h.Id), run.Page.ConvertAll(h => h.ListedAs), NextOf(run, run.Page, total, access), total);
    }

    /// <summary>Which indexes a search may be answered from, for tests.</summary>
    internal async Task<SearchRun> RunAsync(
        TaskDbContext db, TaskSearch search, SearchCursor? from, int max, Access access, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(search);
        if (search.Error is not null && cipher.Active is not null)
            throw new InvalidSearchException("errors are encrypted, so tasks cannot be searched by error; use state=failed instead");
        var scheduleId = await ScheduleIdAsync(db, search, cancellationToken);
        var plan = search.Schedule is not null && scheduleId is null ? new SearchPlan(new HashSet<int>(), [])
            : SearchPlan.Of(search, scheduleId, access);
        var checks = new SearchChecks(search, plan.States, scheduleId, access, Micros.Now(time));
        var run = new SearchRun(db, plan, checks, SearchRange.Of(search, from), limits, time);
        // The first page counts; the others need one more task to know whether there is a next page.
        await run.RunAsync(max, from is null ? Math.Max(max, SearchTotal.MostCounted) + 1 : max + 1, from is null, cancellationToken);
        return run;
    }

    private static async Task<int?> ScheduleIdAsync(TaskDbContext db, TaskSearch search, CancellationToken cancellationToken)
    {
        if (search.Schedule is not { } name)
            return null;
        if (search.Queue is not { } queue)
            throw new InvalidSearchException("schedule needs queue: the name of a schedule is unique within its queue");
        return await db.Schedules.AsNoTracking().Where(s => s.Queue == queue && s.Name == name).Select(s => (int?)s.Id)
            .SingleOrDefaultAsync(cancellationToken);
    }

    private List<Hit> Cut(List<Hit> hits, bool payloads, out long bytes)
    {
        bytes = 0;
        for (var i = 0; i < hits.Count; i++)
        {
            var size = hits[i].Bytes + (payloads ? hits[i].PayloadBytes : 0);
            if (i > 0 && bytes + size > memory.Value.MaxAnswerBytes)
                return hits[..i];
            bytes += size;
        }

        return hits;
    }

    private static SearchTotal TotalOf(SearchRun run, SearchCursor? from) =>
        from is not null ? from.Total
        : new SearchTotal(run.IsAtEnd ? run.Hits : Math.Max(run.Hits, run.Estimate), Exact: run.IsAtEnd);

    private static SearchCursor? NextOf(SearchRun run, List<Hit> shown, SearchTotal total, Access access) =>
        shown.Count < run.Hits ? new SearchCursor(shown[^1].ListedAs, total)
        : run.IsAtEnd ? null
        : run.Last is { } last ? new SearchCursor(access.Others.IsAll ? last : After(last, shown, run.Before), total) : null;

    /// <summary>
    /// The last task may be another tenant's, so its id is not shown. Some of its millisecond are looked at again, but none that was found.
    /// </summary>
    private static Guid After(Guid last, List<Hit> shown, Guid? before)
    {
        var above = SearchRange.Above(last, before);
        return shown.Count > 0 && shown[^1].ListedAs < above ? shown[^1].ListedAs : above;
    }

    private static async Task<List<FoundTask>> ReadAsync(
        TaskDbContext db, List<Hit> hits, bool payloads, CancellationToken cancellationToken)
    {
        if (hits.Count == 0)
            return [];
        var ids = hits.ConvertAll(h => h.Id);
        var tasks = await db.Tasks.AsNoTracking().Where(t => ids.Contains(t.CorrelationId)).Select(Hit.Shown(payloads))
            .ToDictionaryAsync(t => t.CorrelationId, cancellationToken);
        var schedules = await SchedulesAsync(db, [.. tasks.Values.Select(t => t.ScheduleId).OfType<int>().Distinct()], cancellationToken);
        return
        [
            .. ids.Where(tasks.ContainsKey).Select(id => db.Open(tasks[id])!)
                .Select(t => new FoundTask(t, t.ScheduleId is { } schedule ? schedules.GetValueOrDefault(schedule) : null)),
        ];
    }

    private static async Task<Dictionary<int, string>> SchedulesAsync(
        TaskDbContext db, List<int> ids, CancellationToken cancellationToken) =>
        ids.Count == 0 ? [] : await db.Schedules.AsNoTracking().Where(s => ids.Contains(s.Id))
            .Select(s => new { s.Id, s.Name }).ToDictionaryAsync(s => s.Id, s => s.Name, cancellationToken);
}
