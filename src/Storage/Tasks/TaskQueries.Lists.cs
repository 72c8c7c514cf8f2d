using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage.Encryption;

namespace TaskQueue.Storage.Tasks;

/// <summary>Lists of tasks.</summary>
internal sealed partial class TaskQueries
{
    public async Task<IReadOnlyList<TaskState>> NewestAsync(int? state, int max, Access access, CancellationToken cancellationToken,
        ReserveAnswer? reserve = null)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var tasks = Tasks(db, access);
        if (state is { } wanted)
            tasks = tasks.Where(t => t.State == EF.Constant(wanted)); // a partial index needs a constant the planner sees
        var sizes = await tasks.OrderByDescending(t => t.CorrelationId).Take(max).Select(SizedTask.Of).ToListAsync(cancellationToken);
        return await ReadAsync(db, access, SizedTask.Cut(sizes, memory.Value.MaxAnswerBytes, out var bytes), bytes, reserve,
            cancellationToken);
    }

    public async Task<TaskPage> ListAsync(
        string queue, TaskList list, TaskCursor? from, int max, Access access, CancellationToken cancellationToken, bool back = false,
        ReserveAnswer? reserve = null)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var found = await TaskLists.Page(Tasks(db, access), queue, list, from, max + 1, back).Select(SizedTask.Of)
            .ToListAsync(cancellationToken); // one more tells whether there are more
        var page = SizedTask.Cut(found.Count > max ? found[..max] : found, memory.Value.MaxAnswerBytes, out var bytes);
        var hasMore = page.Count < found.Count;
        if (back)
            page.Reverse();
        return new TaskPage(
            await ReadAsync(db, access, page, bytes, reserve, cancellationToken), page.FirstOrDefault()?.Cursor(list),
            page.LastOrDefault()?.Cursor(list), hasMore);
    }

    public async Task<List<TaskCursor>> DeadAsync(string queue, TaskCursor? from, int max, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await TaskLists.Page(Tasks(db, Access.All), queue, TaskList.Dead, from, max, back: false)
            .Select(t => new TaskCursor(t.FinishedAt ?? DateTime.UnixEpoch, t.CorrelationId)).ToListAsync(cancellationToken);
    }

    public async Task<List<Guid>> WaitingIdsAsync(QueueTier tier, DateTime before, int max, Access access,
        CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var here = access.Filter(db.Tasks.AsNoTracking())
            .Where(t => t.Queue == tier.Queue && t.Tier == tier.Tier && t.CreatedAt <= before);
        return await TaskLists.Waiting(here).Concat(TaskLists.Blocked(here)).Select(t => t.CorrelationId).Take(max)
            .ToListAsync(cancellationToken);
    }

    private async Task<IReadOnlyList<TaskState>> ReadAsync(TaskDbContext db, Access access, List<SizedTask> page, long bytes,
        ReserveAnswer? reserve, CancellationToken cancellationToken)
    {
        if (page.Count == 0)
            return [];
        if (reserve is not null)
            await reserve(bytes, page.Count, cancellationToken);
        var ids = page.ConvertAll(t => t.Id);
        var tasks = await Tasks(db, access).Where(t => ids.Contains(t.CorrelationId))
            .ToDictionaryAsync(t => t.CorrelationId, cancellationToken);
        return db.Open(ids.Where(tasks.ContainsKey).Select(id => tasks[id]).ToList());
    }
}
