using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Failures;

namespace TaskQueue.Storage.Failures;

/// <summary>Adds counts to groups: one read, and one write that fails if another process has written one of them since.</summary>
internal sealed class FailureWrites(TaskDbContext db, FailureOptions limits)
{
    /// <summary>Workers whose versions are looked up for a write; those of more are not noted.</summary>
    private const int MaxWorkers = 1000;

    public async Task RunAsync(IReadOnlyList<PendingGroup> groups, CancellationToken cancellationToken)
    {
        var rows = await LoadAsync(groups, cancellationToken);
        var pending = groups.ToDictionary(g => g.Id);
        await FitAsync(pending, rows, cancellationToken);
        var versions = await VersionsAsync(pending.Values, cancellationToken);
        foreach (var group in pending.Values.OrderBy(g => g.Id))
        {
            if (!rows.TryGetValue(group.Id, out var row))
                db.FailureGroups.Add(row = New(group));
            Count(row, group);
            row.Versions = FailureRules.AddVersions(row.Versions, group.Workers.Select(w => versions.GetValueOrDefault(w)));
            db.FailureSamples.AddRange(group.Samples.Select(s => Copy(s, group.Id)));
        }

        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        await db.SaveChangesAsync(cancellationToken);
        var ids = pending.Values.Where(g => g.Samples.Count > 0).Select(g => g.Id).ToList();
        await db.FailureSamples.Where(s => ids.Contains(s.GroupId)
                && db.FailureSamples.Count(other => other.GroupId == s.GroupId && other.Id > s.Id) >= PendingGroup.MaxSamples)
            .ExecuteDeleteAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    private async Task<Dictionary<Guid, FailureGroup>> LoadAsync(IReadOnlyList<PendingGroup> groups, CancellationToken cancellationToken)
    {
        var ids = groups.Select(g => g.Id)
            .Concat(groups.Select(g => FailureFingerprint.IdOf(FailureKey.Other(g.Key.Kind, g.Key.Owner))))
            .Concat(Enum.GetValues<FailureKind>().Select(kind => FailureFingerprint.IdOf(FailureKey.Other(kind, null))))
            .Distinct().ToList();
        return await db.FailureGroups.Where(g => ids.Contains(g.Id)).ToDictionaryAsync(g => g.Id, cancellationToken);
    }

    /// <summary>Versions of workers that failed, as far as they are listed.</summary>
    private async Task<Dictionary<FailedWorker, string?>> VersionsAsync(
        IEnumerable<PendingGroup> groups, CancellationToken cancellationToken)
    {
        var names = groups.SelectMany(g => g.Workers).Select(w => w.Name).Distinct(StringComparer.Ordinal).Take(MaxWorkers).ToList();
        if (names.Count == 0)
            return [];
        return (await db.Workers.AsNoTracking().Where(w => names.Contains(w.Name) && w.Version != null)
                .Select(w => new { w.Name, w.Credential, w.Version }).ToListAsync(cancellationToken))
            .DistinctBy(w => (w.Name, w.Credential)).ToDictionary(w => new FailedWorker(w.Name, w.Credential), w => w.Version);
    }

    /// <summary>Moves the counts of new groups for which there is no room to groups of other failures.</summary>
    private async Task FitAsync(
        Dictionary<Guid, PendingGroup> pending, Dictionary<Guid, FailureGroup> rows, CancellationToken cancellationToken)
    {
        var fresh = pending.Values.Where(g => !rows.ContainsKey(g.Id) && g.Key.Message != FailureKey.OtherMessage)
            .OrderByDescending(g => g.Count).ToList();
        if (fresh.Count == 0)
            return;
        var total = await db.FailureGroups.CountAsync(cancellationToken);
        foreach (var ofOwner in fresh.GroupBy(g => g.Key.Owner))
        {
            var owner = ofOwner.Key;
            var known = await db.FailureGroups.CountAsync(g => g.Owner == owner, cancellationToken);
            foreach (var group in ofOwner)
            {
                if (known < limits.MaxGroupsPerTenant && total < limits.MaxGroups)
                {
                    known++;
                    total++;
                    continue;
                }

                // An owner's group of other failures is one more; only when there are too many of these, all share one.
                var other = FailureKey.Other(group.Key.Kind, total < 2 * limits.MaxGroups ? owner : null);
                var id = FailureFingerprint.IdOf(other);
                if (!pending.TryGetValue(id, out var target))
                {
                    pending[id] = target = new PendingGroup(other);
                    total += rows.ContainsKey(id) ? 0 : 1;
                }

                target.Add(group);
                pending.Remove(group.Id);
            }
        }
    }

    private static FailureGroup New(PendingGroup group) => new()
    {
        Id = group.Id, Kind = group.Key.Kind, Owner = group.Key.Owner, Queue = group.Key.Queue, Name = group.Key.Name,
        ErrorType = group.Key.ErrorType, Message = group.Key.Message, FirstSeenAt = group.FirstSeenAt, LastSeenAt = group.LastSeenAt,
    };

    private static void Count(FailureGroup row, PendingGroup group)
    {
        row.Count += group.Count;
        row.FirstSeenAt = group.FirstSeenAt < row.FirstSeenAt ? group.FirstSeenAt : row.FirstSeenAt;
        row.LastSeenAt = group.LastSeenAt > row.LastSeenAt ? group.LastSeenAt : row.LastSeenAt;
        row.Version++;
        if (row.State == FailureState.Resolved && group.LastSeenAt > row.ChangedAt)
            (row.State, row.Regressed) = (FailureState.Open, true);
    }

    /// <summary>A copy, because the write may have to be repeated.</summary>
    private static FailureSample Copy(FailureSample sample, Guid group) => new()
    {
        GroupId = group, TaskId = sample.TaskId, Attempt = sample.Attempt, At = sample.At, Worker = sample.Worker, Error = sample.Error,
        Stack = sample.Stack,
    };
}
