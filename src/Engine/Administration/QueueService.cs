using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Administration;

/// <summary>What became of a change.</summary>
public enum QueueChange
{
    /// <summary>It was made.</summary>
    Done,

    /// <summary>There is no such queue.</summary>
    NotFound,

    /// <summary>Its version is not the expected one.</summary>
    VersionMismatch,
}

/// <summary>What can be done with queues. A change is known to all processes within a second.</summary>
public sealed partial class QueueService(
    QueueCatalog catalog, ITaskQueries queries, IQueueRecordStore records, IQuotaStore stored, IQueueAnnouncer announcer,
        IQueueStore store, WorkNotifier workNotifier,
    TenantQuotas quotas, QuotaMetrics refusals, TaskMetrics metrics, TimeProvider time, ILogger<QueueService> logger)
{
    /// <summary>
    /// Makes a queue. A push queue exists at the broker first; tasks that were accepted as pulled before every process knew
    /// of it are handed to the scheduler, so when this returns the queue is push for all its tasks.
    /// </summary>
    /// <returns>The queue; null where the name is taken.</returns>
    /// <exception cref="InvalidQueueException">The settings break a rule.</exception>
    /// <exception cref="QuotaException">There are as many queues as may be.</exception>
    /// <exception cref="QuotaExceededException">The owner has as many queues as may be.</exception>
    public async Task<QueueRecord?> CreateAsync(string name, Delivery delivery, QueueSettings settings, string? endpoint = null,
        string? owner = null, QueueQuota? quota = null)
    {
        if (QueueRules.Check(settings, delivery) is { } problem)
            throw new InvalidQueueException(problem);
        if (await catalog.LookUpAsync(name) is not null)
            return null;
        // Refuses early, before anything is declared at the broker; what counts is the same look in the transaction.
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
            return null; // somebody else made it a moment ago
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

    /// <summary>Replaces the settings of a queue, all of them; its version grows by one.</summary>
    /// <param name="name">Base name.</param>
    /// <param name="change">The new settings, from those as of now.</param>
    /// <param name="expectedVersion">Refused where the queue has another; null is any.</param>
    /// <exception cref="InvalidQueueException">The settings break a rule.</exception>
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

    /// <summary>Replaces the settings of a queue, all of them; its version grows by one.</summary>
    public Task<(QueueChange Change, QueueRecord? Queue)> UpdateAsync(string name, QueueSettings settings, int? expectedVersion = null) =>
        UpdateAsync(name, _ => settings, expectedVersion);

    /// <summary>
    /// Deletes a queue with its schedules and with what waits, runs or is dead in it. Its name can be used again at once.
    /// </summary>
    /// <returns>Whether there was one.</returns>
    public async Task<bool> DeleteAsync(string name)
    {
        if (await catalog.LookUpAsync(name) is not { } queue)
            return false;
        metrics.Purged(name, await store.PurgeAsync(name, queue.Settings.Events, Micros.Now(time)));
        var deleted = Micros.Now(time);
        if (!await records.DeleteAsync(name))
            return false; // another deletion was quicker
        await TellAsync(name);
        // Until every process knows of it, some accept tasks for the queue. They go too, but not those of a new one of its name.
        await Task.Delay(QueueCatalog.MaxAge, time);
        var now = Micros.Now(time);
        metrics.Purged(name,
            await store.PurgeAsync(name, queue.Settings.Events, now, acceptedBefore: await catalog.LookUpAsync(name) is null ? now
                : deleted));
        return true;
    }

    /// <summary>Deletes what waits, runs or is dead in a queue, resets its counters, and refills its token bucket.</summary>
    /// <returns>Whether there is such a queue.</returns>
    public async Task<bool> PurgeAsync(string name)
    {
        if (await catalog.LookUpAsync(name) is not { } queue)
            return false;
        metrics.Purged(name, await store.PurgeAsync(name, queue.Settings.Events, Micros.Now(time)));
        workNotifier.RingAll(name); // places and turns are free
        return true;
    }

    /// <summary>Counts of a queue, of the tasks that the caller may see.</summary>
    public Task<QueueStats> StatsAsync(string name, Access access, CancellationToken cancellationToken) =>
        access.Others.Match(name) ? store.StatsAsync(name, Micros.Now(time)) : queries.QueueStatsAsync(name, access, cancellationToken);

    /// <summary>What a new queue means for tasks that are there already, once every process knows of it.</summary>
    private async Task SettleAsync(QueueRecord queue)
    {
        if (queue.Delivery == Delivery.Pull && !queue.Settings.IsLimited)
            return;
        await Task.Delay(QueueCatalog.MaxAge, time);
        if (queue.Delivery == Delivery.Push)
            await store.AdoptAsync(queue.Name);
        else
            await store.ApplyLimitsAsync(queue.Name); // what was claimed past the limit meanwhile
    }

    /// <summary>What changed settings mean for tasks that are there already, once every process knows of them.</summary>
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
            await store.ApplyLimitsAsync(queue.Name); // what was claimed past the limit meanwhile
        else
            await store.RearmAsync(queue.Name, Micros.Now(time)); // what was parked meanwhile
    }

    private async Task TellAsync(string name)
    {
        catalog.Invalidate();
        workNotifier.RingAll(name);
        try
        {
            await announcer.PublishChangedAsync(name).WaitAsync(TellTimeout, time);
        }
#pragma warning disable CA1031 // the caches of the others age anyway
        catch (Exception fault)
#pragma warning restore CA1031
        {
            LogNotTold(fault, name);
        }
    }

    private static readonly TimeSpan TellTimeout = TimeSpan.FromSeconds(1);

    [LoggerMessage(LogLevel.Warning, "The change of queue {Queue} was not published; other processes see it a second late")]
    private partial void LogNotTold(Exception fault, string queue);
}
