using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Search;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Search;

/// <summary>The conditions of a search, all of which are checked, whichever index its ids were read from.</summary>
internal sealed class SearchChecks(TaskSearch search, IReadOnlySet<int> states, int? scheduleId, Access access, DateTime now)
{
    /// <summary>The tasks of a list that meet the conditions.</summary>
    public IQueryable<TaskState> Filter(TaskDbContext db, List<Guid> ids)
    {
        var tasks = access.Filter(db.Tasks.Where(t => ids.Contains(t.CorrelationId) && (t.DeleteAt == null || t.DeleteAt > now)));
        return WithTexts(WithTags(InTime(InState(Described(tasks)))));
    }

    private IQueryable<TaskState> Described(IQueryable<TaskState> tasks)
    {
        if (search.Queue is { } queue)
            tasks = tasks.Where(t => t.Queue == queue);
        if (search.Name is { } name)
            tasks = tasks.Where(t => t.Name == name);
        if (search.Owner is { } owner)
            tasks = tasks.Where(t => t.Owner == owner);
        if (search.BatchId is { } batch)
            tasks = tasks.Where(t => t.BatchId == batch);
        if (scheduleId is { } schedule)
            tasks = tasks.Where(t => t.ScheduleId == schedule);
        if (search.Worker is { } worker)
            tasks = tasks.Where(t => t.Worker == worker);
        if (search.OrderingKey is { } key)
        {
            List<string> keys = [.. SearchPlan.StoredKeys(key, access.Others.IsNone ? access.Tenant : search.Owner, access)];
            var (first, last) = (keys[0], keys[^1]);
            tasks = tasks.Where(t => t.OrderingKey == first || t.OrderingKey == last);
        }

        return tasks;
    }

    private IQueryable<TaskState> InState(IQueryable<TaskState> tasks)
    {
        if (states.Count == TaskStates.All.Count())
            return tasks;
        List<int> wanted = [.. states];
        tasks = tasks.Where(t => wanted.Contains(t.State));
        return search.States.Contains(TaskSearch.Scheduled) && !search.States.Contains(TaskStates.Pending)
            ? tasks.Where(t => t.State != TaskStates.Pending || t.DueAt > now) : tasks;
    }

    private IQueryable<TaskState> InTime(IQueryable<TaskState> tasks)
    {
        if (search.CreatedFrom is { } createdFrom)
            tasks = tasks.Where(t => t.CreatedAt >= createdFrom);
        if (search.CreatedTo is { } createdTo)
            tasks = tasks.Where(t => t.CreatedAt < createdTo);
        if (search.FinishedFrom is { } finishedFrom)
            tasks = tasks.Where(t => t.FinishedAt >= finishedFrom);
        if (search.FinishedTo is { } finishedTo)
            tasks = tasks.Where(t => t.FinishedAt < finishedTo);
        return tasks;
    }

    private IQueryable<TaskState> WithTags(IQueryable<TaskState> tasks)
    {
        foreach (var tag in search.Tags)
        {
            var listed = $",{tag},";
            tasks = tasks.Where(t => ("," + t.Tags + ",").Contains(listed));
        }

        return tasks;
    }

    /// <remarks>Not by "like", which ignores case on SQLite. Databases count code points or UTF-16 units.</remarks>
    private IQueryable<TaskState> WithTexts(IQueryable<TaskState> tasks)
    {
        if (search.Error is not { } error)
            return tasks;
        var (points, units) = (error.EnumerateRunes().Count(), error.Length);
        return points == units ? tasks.Where(t => t.Error!.Substring(0, units) == error)
            : tasks.Where(t => t.Error!.Substring(0, points) == error || t.Error!.Substring(0, units) == error);
    }
}
