using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Bus;
using TaskQueue.Engine.Events;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Queues;

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
    QueueCatalog catalog, TaskQueries queries, IDbContextFactory<TaskDbContext> databases, PushTopology topology, IQueueStore store, WorkNotifier workNotifier,
    IBus bus, TenantQuotas quotas, QuotaMetrics refusals, TaskMetrics metrics, TimeProvider time, ILogger<QueueService> logger)
{
    /// <summary>
    /// Makes a queue. A push queue exists at the broker first; tasks that were accepted as pulled before every process knew
    /// of it are handed to the scheduler, so when this returns the queue is push for all its tasks.
    /// </summary>
    /// <returns>The queue; null where the name is taken.</returns>
    /// <exception cref="InvalidQueueException">The settings break a rule.</exception>
    /// <exception cref="QuotaException">There are as many queues as may be.</exception>
    /// <exception cref="QuotaExceededException">The owner has as many queues as may be.</exception>
    public async Task<QueueRecord?> CreateAsync(string name, Delivery delivery, QueueSettings settings, string? endpoint = null, string? owner = null, QueueQuota? quota = null)
    {
        if (QueueRules.Check(settings, delivery) is { } problem)
            throw new InvalidQueueException(problem);
        if (await catalog.LookUpAsync(name) is not null)
            return null;
        if (owner is not null)
            await DemandAsync(owner);
        if (delivery == Delivery.Push)
            await topology.DeclareAsync(name);
        if (settings.IsGated)
            await store.GateAsync(name);
        var now = Micros.Now(time);
        var queue = new QueueRecord { Name = name, Delivery = delivery, Endpoint = endpoint, Owner = owner, Settings = settings, CreatedAt = now, UpdatedAt = now };
        if (!await InsertAsync(queue, quota))
        {
            catalog.Invalidate();
            return null; // somebody else made it a moment ago
        }

        await TellAsync(name);
        await SettleAsync(queue);
        return queue;
    }

    /// <summary>Refuses early, before anything is declared at the broker; what counts is the same look in the transaction.</summary>
    private async Task DemandAsync(string owner)
    {
        await using var db = await databases.CreateDbContextAsync();
        await DemandAsync(db, owner);
    }

    private async Task DemandAsync(TaskDbContext db, string owner)
    {
        if (quotas.Of(owner).Queues is { } limit && await QuotaUsage.QueuesAsync(db, owner) is var used && used >= limit)
            throw refusals.Refused(new QuotaExceededException(QuotaResource.Queues, owner, limit, used));
    }

    /// <returns>Whether the name was free.</returns>
    private async Task<bool> InsertAsync(QueueRecord queue, QueueQuota? quota)
    {
        await using var db = await databases.CreateDbContextAsync();
        await using var transaction = await db.Database.BeginTransactionAsync();
        await db.LockQueueAsync(BuiltInQueues.Tasks); // one makes a queue at a time, so what is counted stays true
        if (await db.Queues.AnyAsync(q => q.Name == queue.Name))
            return false;
        if (queue.Owner is { } tenant && await db.Tasks.AnyAsync(t => t.Queue == queue.Name && t.Owner != tenant
            && (t.State == TaskStates.Pending || t.State == TaskStates.Running || t.State == TaskStates.Retrying || t.Dead)))
            throw new InvalidQueueException($"queue {queue.Name} holds tasks of other tenants already; choose another name");
        if (quota is not null && (await db.Queues.AsNoTracking().ToListAsync()).Count(quota.Counts) >= quota.Max)
            throw new QuotaException(quota.Max);
        if (queue.Owner is { } owner)
            await DemandAsync(db, owner);
        db.Queues.Add(queue);
        await db.SaveChangesAsync();
        await transaction.CommitAsync();
        return true;
    }

    /// <summary>Replaces the settings of a queue, all of them; its version grows by one.</summary>
    /// <param name="name">Base name.</param>
    /// <param name="change">The new settings, from those as of now.</param>
    /// <param name="expectedVersion">Refused where the queue has another; null is any.</param>
    /// <exception cref="InvalidQueueException">The settings break a rule.</exception>
    public async Task<(QueueChange Change, QueueRecord? Queue)> UpdateAsync(string name, Func<QueueSettings, QueueSettings> change, int? expectedVersion = null)
    {
        QueueRecord queue;
        QueueSettings before;
        while (true)
        {
            await using var db = await databases.CreateDbContextAsync();
            if (await db.Queues.SingleOrDefaultAsync(q => q.Name == name) is not { } found)
                return (QueueChange.NotFound, null);
            if (expectedVersion is { } expected && found.Version != expected)
                return (QueueChange.VersionMismatch, found);
            (queue, before) = (found, found.Settings);
            queue.Settings = change(before);
            if (QueueRules.Check(queue.Settings, queue.Delivery) is { } problem)
                throw new InvalidQueueException(problem);
            if (queue.Settings.IsGated && !before.IsGated)
                await store.GateAsync(name);
            queue.Version++;
            queue.UpdatedAt = Micros.Now(time);
            try
            {
                await db.SaveChangesAsync();
                break;
            }
            catch (DbUpdateConcurrencyException)
            {
                // Somebody else changed or deleted it in between: look again.
            }
        }

        await TellAsync(name);
        await SettleAsync(queue, before);
        return (QueueChange.Done, queue);
    }

    /// <summary>Replaces the settings of a queue, all of them; its version grows by one.</summary>
    public Task<(QueueChange Change, QueueRecord? Queue)> UpdateAsync(string name, QueueSettings settings, int? expectedVersion = null) =>
        UpdateAsync(name, _ => settings, expectedVersion);

    /// <summary>Deletes a queue with its schedules and with what waits, runs or is dead in it. Its name can be used again at once.</summary>
    /// <returns>Whether there was one.</returns>
    public async Task<bool> DeleteAsync(string name)
    {
        if (await catalog.LookUpAsync(name) is not { } queue)
            return false;
        metrics.Purged(name, await store.PurgeAsync(name, queue.Settings.Events, Micros.Now(time)));
        var deleted = Micros.Now(time);
        if (!await RemoveAsync(name))
            return false; // another deletion was quicker
        await TellAsync(name);
        // Until every process knows of it, some accept tasks for the queue. They go too, but not those of a new one of its name.
        await Task.Delay(QueueCatalog.MaxAge, time);
        var now = Micros.Now(time);
        metrics.Purged(name, await store.PurgeAsync(name, queue.Settings.Events, now, acceptedBefore: await catalog.LookUpAsync(name) is null ? now : deleted));
        return true;
    }

    private async Task<bool> RemoveAsync(string name)
    {
        await using var db = await databases.CreateDbContextAsync();
        await using var transaction = await db.Database.BeginTransactionAsync();
        var removed = await db.Queues.Where(q => q.Name == name).ExecuteDeleteAsync(); // first: whoever makes a schedule of it has locked it
        await db.Schedules.Where(s => s.Queue == name).ExecuteDeleteAsync();
        await transaction.CommitAsync();
        return removed > 0;
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
        if (queue.Delivery == Delivery.Pull && !queue.Settings.IsGated)
            return;
        await Task.Delay(QueueCatalog.MaxAge, time);
        if (queue.Delivery == Delivery.Push)
            await store.AdoptAsync(queue.Name);
        else
            await store.GateAsync(queue.Name); // what was claimed past the gate meanwhile
    }

    /// <summary>What changed settings mean for tasks that are there already, once every process knows of them.</summary>
    private async Task SettleAsync(QueueRecord queue, QueueSettings before)
    {
        var resumed = before.Paused && !queue.Settings.Paused;
        if (resumed && queue.Delivery == Delivery.Push)
            await store.RearmAsync(queue.Name, Micros.Now(time));
        var gated = queue.Settings.IsGated && !before.IsGated;
        if (!gated && !(resumed && queue.Delivery == Delivery.Push))
            return;
        await Task.Delay(QueueCatalog.MaxAge, time);
        if (gated)
            await store.GateAsync(queue.Name); // what was claimed past the gate meanwhile
        else
            await store.RearmAsync(queue.Name, Micros.Now(time)); // what was parked meanwhile
    }

    private async Task TellAsync(string name)
    {
        catalog.Invalidate();
        workNotifier.RingAll(name);
        try
        {
            await bus.Publish(new QueuesChanged([name])).WaitAsync(TellTimeout, time);
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
