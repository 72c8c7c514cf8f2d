using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Administration;

/// <summary>Outcome of a change to a queue.</summary>
public enum QueueChange
{
    /// <summary>The change is committed.</summary>
    Done,

    /// <summary>The queue does not exist.</summary>
    NotFound,

    /// <summary>The stored version differs from the expected one.</summary>
    VersionMismatch,
}

/// <summary>Manages queues. Every process sees a change within a second.</summary>
public sealed partial class QueueService(
    QueueCatalog catalog, ITaskQueries queries, IQueueRecordStore records, IQuotaStore stored, IQueueAnnouncer announcer,
    IQueueStore store, WorkNotifier workNotifier,
    TenantQuotas quotas, QuotaMetrics refusals, TaskMetrics metrics, TimeProvider time, ILogger<QueueService> logger)
{
    /// <summary>Tasks that one transaction of a purge deletes: some tens of milliseconds.</summary>
    private const int PurgeStep = 2000;

    /// <summary>Between two log entries of a purge.</summary>
    private static readonly TimeSpan PurgeProgress = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Creates a queue. A push queue is declared at the broker first; tasks accepted as pulled before every process knew of it are handed
    /// to the scheduler, so on return the queue is push for all its tasks.
    /// </summary>
    /// <returns>The queue; null if the name is taken.</returns>
    /// <exception cref="InvalidQueueException">The settings are invalid.</exception>
    /// <exception cref="QuotaException">The limit on queues is reached.</exception>
    /// <exception cref="QuotaExceededException">The owner's limit on queues is reached.</exception>
    public async Task<QueueRecord?> CreateAsync(string name, Delivery delivery, QueueSettings settings, string? endpoint = null,
        string? owner = null, QueueQuota? quota = null)
    {
        if (QueueRules.Check(settings, delivery) is { } problem)
            throw new InvalidQueueException(problem);
        if (await catalog.LookUpAsync(name) is not null)
            return null;
        // Refuses early, before anything is declared at the broker; the authoritative check runs in the transaction.
        if (owner is not null && quotas.Of(owner).Queues is { } limit
            && await stored.CountQueuesAsync(owner, CancellationToken.None) is var used && used >= limit)
            throw Refused(owner, limit, used);
        if (delivery == Delivery.Push)
            await announcer.DeclareAsync(name);
        if (settings.IsLimited)
            await store.ApplyLimitsAsync(name);
        var now = Micros.Now(time);
        var queue = new QueueRecord { Name = name, Delivery = delivery, Endpoint = endpoint, Owner = owner, Settings = settings,
            CreatedAt = now, UpdatedAt = now };
        if (!await InsertAsync(queue, quota))
        {
            catalog.Invalidate();
            return null; // created concurrently
        }

        await TellAsync(name);
        await SettleAsync(queue);
        return queue;
    }

    /// <returns>Whether the name was free.</returns>
    private async Task<bool> InsertAsync(QueueRecord queue, QueueQuota? quota)
    {
        var limit = queue.Owner is null ? null : quotas.Of(queue.Owner).Queues;
        var result = await records.TryAddAsync(queue, quota, limit);
        return result.Status switch
        {
            QueueInsertStatus.Added => true,
            QueueInsertStatus.NameTaken => false,
            QueueInsertStatus.HoldsForeignTasks =>
                throw new InvalidQueueException($"queue {queue.Name} holds tasks of other tenants already; choose another name"),
            QueueInsertStatus.QuotaReached => throw new QuotaException(quota!.Max),
            _ => throw Refused(queue.Owner!, limit!.Value, result.Used),
        };
    }

    private QuotaExceededException Refused(string owner, long limit, long used) =>
        refusals.Refused(new QuotaExceededException(QuotaResource.Queues, owner, limit, used));

    /// <summary>Replaces all settings of a queue and increments its version.</summary>
    /// <param name="name">Base name.</param>
    /// <param name="change">Computes the new settings from the current ones.</param>
    /// <param name="expectedVersion">The change is refused if the queue has another version; null skips the check.</param>
    /// <exception cref="InvalidQueueException">The settings are invalid.</exception>
    public async Task<(QueueChange Change, QueueRecord? Queue)> UpdateAsync(string name, Func<QueueSettings, QueueSettings> change,
        int? expectedVersion = null)
    {
        var (isMismatch, before) = (false, QueueSettings.Default);
        var queue = await records.UpdateAsync(name, async found =>
        {
            isMismatch = expectedVersion is { } expected && found.Version != expected;
            if (isMismatch)
                return false;
            before = found.Settings;
            found.Settings = change(before);
            if (QueueRules.Check(found.Settings, found.Delivery) is { } problem)
                throw new InvalidQueueException(problem);
            if (found.Settings.IsLimited && !before.IsLimited)
                await store.ApplyLimitsAsync(name);
            found.Version++;
            found.UpdatedAt = Micros.Now(time);
            return true;
        });
        if (queue is null)
            return (QueueChange.NotFound, null);
        if (isMismatch)
            return (QueueChange.VersionMismatch, queue);
        await TellAsync(name);
        await SettleAsync(queue, before);
        return (QueueChange.Done, queue);
    }

    /// <summary>Replaces all settings of a queue and increments its version.</summary>
    public Task<(QueueChange Change, QueueRecord? Queue)> UpdateAsync(string name, QueueSettings settings, int? expectedVersion = null) =>
        UpdateAsync(name, _ => settings, expectedVersion);

    /// <summary>Deletes a queue with its schedules and its waiting, running and dead tasks. The name can be reused at once.</summary>
    /// <returns>Whether the queue existed.</returns>
    public async Task<bool> DeleteAsync(string name)
    {
        if (await catalog.LookUpAsync(name) is not { } queue)
            return false;
        await PurgeAllAsync(queue);
        var deleted = Micros.Now(time);
        if (!await records.DeleteAsync(name))
            return false; // deleted concurrently
        await TellAsync(name);
        // Until every process knows of the deletion, some still accept tasks for the queue. These are deleted too, but not those of a new
        // queue of the same name.
        await Task.Delay(QueueCatalog.MaxAge, time);
        var isFree = await catalog.LookUpAsync(name) is null;
        await PurgeAsync(queue, isFree ? Micros.Now(time) : deleted);
        if (queue.Delivery == Delivery.Push && isFree)
            await EmptyLateAsync(name);
        return true;
    }

    /// <summary>
    /// Drops what was dispatched for a deleted queue until every process knew of it. The purge before may have taken long: a new queue of
    /// the same name keeps its messages. What stays at the broker is no task any more, and its report changes nothing.
    /// </summary>
    private async Task EmptyLateAsync(string name)
    {
        if (await catalog.LookUpAsync(name) is not null)
            return;
        try
        {
            await announcer.EmptyAsync(name);
        }
        catch (BrokerSilentException fault)
        {
            LogNotEmptied(fault, name);
        }
    }

    /// <summary>Deletes the waiting, running and dead tasks of a queue, resets its counters and refills its token bucket.</summary>
    /// <returns>Whether the queue exists.</returns>
    public async Task<bool> PurgeAsync(string name)
    {
        if (await catalog.LookUpAsync(name) is not { } queue)
            return false;
        await PurgeAllAsync(queue);
        workNotifier.NotifyAll(name); // capacity and ordering keys are free
        return true;
    }

    /// <summary>Purges a queue that is not declared, of the tasks of every owner.</summary>
    public async Task PurgeUndeclaredAsync(string name)
    {
        await PurgeAllAsync(new QueueRecord { Name = name });
        workNotifier.NotifyAll(name);
    }

    private async Task PurgeAllAsync(QueueRecord queue)
    {
        // First, so that no task that stays loses its dispatch.
        if (queue.Delivery == Delivery.Push)
            await announcer.EmptyAsync(queue.Name);
        await PurgeAsync(queue, acceptedBefore: Micros.Now(time).AddMicroseconds(1));
        await store.ResetAsync(queue.Name);
    }

    /// <summary>Purges in steps: no claim waits for a large queue, and an interrupted purge keeps what it has done.</summary>
    private async Task PurgeAsync(QueueRecord queue, DateTime acceptedBefore)
    {
        var (done, told) = (0L, time.GetTimestamp());
        var found = 0L; // of this pass
        for (var from = PurgeMark.First; from is not null;)
        {
            var step = await store.PurgeAsync(queue.Name, queue.Settings.Events, Micros.Now(time), PurgeStep, acceptedBefore, from);
            found += step.Found;
            from = step.Next;
            if (from is null && found > 0) // tasks may have moved to where the purge had been: the last pass finds none
                (from, found) = (PurgeMark.First, 0);
            metrics.Purged(queue.Name, step.Cancelled, Micros.Now(time));
            done += step.Cancelled + step.Dead;
            if (time.GetElapsedTime(told) >= PurgeProgress)
            {
                LogPurging(queue.Name, done);
                told = time.GetTimestamp();
            }
        }
    }

    /// <summary>Counts of a queue, restricted to the tasks that the caller may see.</summary>
    public Task<QueueStats> StatsAsync(string name, Access access, CancellationToken cancellationToken) =>
        access.Others.Match(name) ? store.StatsAsync(name, Micros.Now(time)) : queries.QueueStatsAsync(name, access, cancellationToken);

    /// <summary>
    /// Whether a queue that is not declared exists for the caller: tasks wait or run in it, or have ended since its last purge.
    /// </summary>
    public async Task<bool> IsKnownAsync(string name, QueueStats stats, Access access, CancellationToken cancellationToken) =>
        stats is not { Waiting: 0, Running: 0, Dead: 0 } || await queries.IsEndedQueueAsync(name, access, cancellationToken);

    /// <summary>Applies a new queue to tasks that already exist, once every process knows of it.</summary>
    private async Task SettleAsync(QueueRecord queue)
    {
        if (queue.Delivery == Delivery.Pull && !queue.Settings.IsLimited)
            return;
        await Task.Delay(QueueCatalog.MaxAge, time);
        if (queue.Delivery == Delivery.Push)
            await store.AdoptAsync(queue.Name);
        else
            await store.ApplyLimitsAsync(queue.Name); // counts tasks claimed before the limit was known
    }

    /// <summary>Applies changed settings to tasks that already exist, once every process knows of them.</summary>
    private async Task SettleAsync(QueueRecord queue, QueueSettings before)
    {
        var resumed = before.Paused && !queue.Settings.Paused;
        if (resumed && queue.Delivery == Delivery.Push)
            await store.RearmAsync(queue.Name, Micros.Now(time));
        var limited = queue.Settings.IsLimited && !before.IsLimited;
        if (!limited && !(resumed && queue.Delivery == Delivery.Push))
            return;
        await Task.Delay(QueueCatalog.MaxAge, time);
        if (limited)
            await store.ApplyLimitsAsync(queue.Name); // counts tasks claimed before the limit was known
        else
            await store.RearmAsync(queue.Name, Micros.Now(time)); // wakes tasks parked in the meantime
    }

    private async Task TellAsync(string name)
    {
        catalog.Invalidate();
        workNotifier.NotifyAll(name);
        try
        {
            await announcer.PublishChangedAsync(name).WaitAsync(TellTimeout, time);
        }
#pragma warning disable CA1031 // the other processes' caches expire anyway
        catch (Exception fault)
#pragma warning restore CA1031
        {
            LogNotTold(fault, name);
        }
    }

    private static readonly TimeSpan TellTimeout = TimeSpan.FromSeconds(1);

    [LoggerMessage(LogLevel.Warning, "Cannot publish the change of queue {Queue}; other processes see it up to a second later")]
    private partial void LogNotTold(Exception fault, string queue);

    [LoggerMessage(LogLevel.Warning, "Queue {Queue} is deleted, but the broker may hold some of its last tasks")]
    private partial void LogNotEmptied(Exception fault, string queue);

    [LoggerMessage(LogLevel.Information, "Purging queue {Queue}: {Count} tasks deleted so far")]
    private partial void LogPurging(string queue, long count);
}
