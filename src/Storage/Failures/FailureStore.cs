using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Failures;
using TaskQueue.Storage.Encryption;

namespace TaskQueue.Storage.Failures;

/// <summary>Tables <c>failure_groups</c> and <c>failure_samples</c> in EF Core.</summary>
internal sealed class FailureStore(IDbContextFactory<TaskDbContext> databases, TimeProvider time) : IFailureStore, IFailureCounter
{
    /// <summary>Tries of a write against other processes that count in the same groups.</summary>
    private const int MaxTries = 10;

    public async Task AddAsync(IReadOnlyList<PendingGroup> groups, FailureOptions limits, CancellationToken cancellationToken)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                await using var db = await databases.CreateDbContextAsync(cancellationToken);
                await new FailureWrites(db, limits).RunAsync(groups, cancellationToken);
                return;
            }
            catch (DbUpdateException) when (tries < MaxTries)
            {
                // Another process has written a group since it was read: nothing of this is done. After a fault of the commit itself it
                // is not known whether anything was done; that is not tried again here.
                await Task.Delay(TimeSpan.FromMilliseconds(Random.Shared.Next(1, 20 * tries)), time, cancellationToken);
            }
        }
    }

    public async Task<List<FailureGroup>> ListAsync(
        FailureFilter filter, FailureCursor? after, int max, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var rows = access.Filter(db.FailureGroups.AsNoTracking());
        if (filter.Queue is { } queue)
            rows = rows.Where(g => g.Queue == queue);
        if (filter.State is { } state)
            rows = rows.Where(g => g.State == state);
        if (filter.Kind is { } kind)
            rows = rows.Where(g => g.Kind == kind);
        if (filter.Name is { } name)
            rows = rows.Where(g => g.Name == name);
        if (after is { } last)
        {
            var (at, id) = (last.LastSeenAt, last.Id);
            rows = rows.Where(g => g.LastSeenAt < at || (g.LastSeenAt == at && g.Id < id));
        }

        var groups = await rows.OrderByDescending(g => g.LastSeenAt).ThenByDescending(g => g.Id).Take(max).ToListAsync(cancellationToken);
        var ids = groups.ConvertAll(g => g.Id);
        var samples = (await db.FailureSamples.AsNoTracking().Where(s => ids.Contains(s.GroupId)).OrderByDescending(s => s.Id)
            .Select(s => new FailureSample { GroupId = s.GroupId, TaskId = s.TaskId }).ToListAsync(cancellationToken))
            .ToLookup(s => s.GroupId);
        foreach (var group in groups)
        {
            group.Samples = [.. samples[group.Id].Take(PendingGroup.MaxSamples)];
            Open(db, group);
        }

        return groups;
    }

    public async Task<FailureGroup?> FindAsync(Guid id, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        if (await access.Filter(db.FailureGroups.AsNoTracking()).SingleOrDefaultAsync(g => g.Id == id, cancellationToken) is not { } group)
            return null;
        group.Samples = await db.FailureSamples.AsNoTracking().Where(s => s.GroupId == id).OrderByDescending(s => s.Id)
            .Take(PendingGroup.MaxSamples).ToListAsync(cancellationToken);
        Open(db, group);
        foreach (var sample in group.Samples)
            Open(db, sample);
        return group;
    }

    public async Task<int> CountAsync(FailureState state, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.FailureGroups.CountAsync(g => g.State == state, cancellationToken);
    }

    public async Task<FailureState?> ChangeAsync(
        Guid id, FailureState state, DateTime now, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var rows = access.Filter(db.FailureGroups.Where(g => g.Id == id));
        if (await rows.AsNoTracking().Select(g => new { g.State }).SingleOrDefaultAsync(cancellationToken) is not { } before)
            return null;
        // The version: a write of failures that has read the group before must not overlook this.
        var changed = await rows.ExecuteUpdateAsync(g => g.SetProperty(x => x.State, state).SetProperty(x => x.ChangedAt, now)
            .SetProperty(x => x.Regressed, false).SetProperty(x => x.Version, x => x.Version + 1), cancellationToken);
        return changed == 0 ? null : before.State;
    }

    public async Task<int> RemoveAsync(FailureState? state, DateTime before, int max)
    {
        await using var db = await databases.CreateDbContextAsync();
        var ids = await db.FailureGroups.Where(g => g.LastSeenAt < before && (state == null || g.State == state)).OrderBy(g => g.LastSeenAt)
            .Select(g => g.Id).Take(max).ToListAsync();
        if (ids.Count == 0)
            return 0;
        var removed = 0;
        foreach (var id in ids.Order()) // one row at a time: a write that locks several in its order never waits for us in a circle
            removed += await db.FailureGroups.Where(g => g.Id == id && g.LastSeenAt < before).ExecuteDeleteAsync();
        await db.FailureSamples.Where(s => ids.Contains(s.GroupId) && !db.FailureGroups.Any(g => g.Id == s.GroupId)).ExecuteDeleteAsync();
        return removed;
    }

    /// <summary>A text that cannot be decrypted is replaced by the reason.</summary>
    private static void Open(TaskDbContext db, FailureGroup group)
    {
        try
        {
            db.Open(group);
        }
        catch (UnreadableDataException unreadable)
        {
            (group.Message, group.ErrorType) = (unreadable.Message, null);
        }
    }

    private static void Open(TaskDbContext db, FailureSample sample)
    {
        try
        {
            db.Open(sample);
        }
        catch (UnreadableDataException unreadable)
        {
            (sample.Error, sample.Stack) = (unreadable.Message, null);
        }
    }
}
