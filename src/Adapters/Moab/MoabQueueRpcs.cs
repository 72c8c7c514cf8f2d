using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Administration;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Schedules;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;

namespace TaskQueue.Adapters.Moab;

/// <summary>The RPCs of queues.</summary>
internal sealed class MoabQueueRpcs(QueueCatalog queues, QueueService queueService, ScheduleService schedules, Redaction redaction,
    TimeProvider time, IOptions<MoabOptions> options)
{
    public async Task<MoabQueueAnswer> CreateAsync(HttpContext context, MoabCreateQueueBody body)
    {
        var name = MoabFields.Name(body.Name, "name");
        context.AuditTarget($"queue/{name}");
        context.Demand(name);
        var settings = MoabQueueMapping.ToSettings(body);
        try
        {
            return await queueService.CreateAsync(name, Delivery.Pull, settings, owner: OwnerOf(context, name),
                quota: new(options.Value.MaxQueues, MoabQueueMapping.IsOurs)) is { } queue
                ? Changed(context, queue)
                : throw MoabEndpoints.Taken($"queue {name} exists already", "queue_name", name);
        }
        catch (QuotaException full)
        {
            throw MoabEndpoints.Exhausted($"{full.Message}; delete a queue, or raise TaskQueue:Moab:MaxQueues", full.Max);
        }
    }

    public async Task<MoabGetQueueAnswer> GetAsync(HttpContext context, MoabQueueBody body)
    {
        var queue = await FindAsync(context, NameOf(context, body));
        var stats = await queueService.StatsAsync(queue.Name, context.Access(), context.RequestAborted);
        var redactor = redaction.For(context.Caller());
        var planned = (await schedules.ListAsync(queue.Name, context.Access())).OrderBy(s => s.Name, StringComparer.Ordinal)
            .Select(s => MoabScheduleMapping.ToSchedule(s, redactor));
        var now = Micros.Now(time);
        return new MoabGetQueueAnswer(MoabQueueMapping.ToQueue(queue, redactor), [.. planned], MoabQueueMapping.ToStats(stats, now),
            MoabFields.Nanoseconds(now));
    }

    public async Task<MoabQueueAnswer> UpdateAsync(HttpContext context, MoabUpdateQueueBody body)
    {
        var name = MoabFields.Name(body.QueueName, "queue_name");
        await FindToChangeAsync(context, name);
        var settings = MoabQueueMapping.ToSettings(MoabQueueMapping.ToSettingsBody(body));
        var expected = MoabEndpoints.ExpectedVersion(body.ExpectedVersion);
        // Settings that Moab does not know are kept.
        var (change, queue) = await queueService.UpdateAsync(
            name, before =>
                settings with { Tiers = before.Tiers, KeepFinishedMs = before.KeepFinishedMs, Events = before.Events,
                    SubmitterToken = before.SubmitterToken }, expected);
        return change switch
        {
            QueueChange.Done => Changed(context, queue!),
            QueueChange.VersionMismatch => throw MoabEndpoints.WrongVersion(expected, queue?.Version),
            _ => throw MoabEndpoints.NoQueue(name),
        };
    }

    public async Task<MoabNothing> DeleteAsync(HttpContext context, MoabQueueBody body)
    {
        var name = NameOf(context, body);
        if (name == BuiltInQueues.Tasks)
            throw MoabFields.Wrong($"queue {name} is built in and cannot be deleted");
        await FindToChangeAsync(context, name);
        return await queueService.DeleteAsync(name) ? new MoabNothing() : throw MoabEndpoints.NoQueue(name);
    }

    public async Task<MoabQueuesAnswer> ListAsync(HttpContext context, MoabListQueuesBody body)
    {
        var page = MoabPages.Of('q', (await queues.AllAsync()).Values.Where(q => context.Access().CanSeeQueue(q.Owner, q.Name)), q =>
            q.Name, body.PaginationToken, MoabPages.Limit(body.Limit));
        return new MoabQueuesAnswer([.. page.Items.Select(q => MoabQueueMapping.ToQueue(q, redaction.For(context.Caller())))],
            page.Next, page.Previous);
    }

    public async Task<MoabNothing> PurgeAsync(HttpContext context, MoabQueueBody body)
    {
        var name = NameOf(context, body);
        await FindToChangeAsync(context, name);
        return await queueService.PurgeAsync(name) ? new MoabNothing() : throw MoabEndpoints.NoQueue(name);
    }

    private static string NameOf(HttpContext context, MoabQueueBody body)
    {
        var name = MoabFields.Name(body.QueueName, "queue_name");
        context.Demand(name);
        return name;
    }

    private async Task<QueueRecord> FindAsync(HttpContext context, string name)
    {
        var queue = await MoabEndpoints.FindQueueAsync(context, queues, name);
        return context.Access().CanSeeQueue(queue.Owner, queue.Name) ? queue : throw MoabEndpoints.NoQueue(queue.Name);
    }

    /// <summary>A queue created by an administrator of all tenants is shared.</summary>
    private static string? OwnerOf(HttpContext context, string name) =>
        context.Access() is var access && access.Others.Match(name) ? null : access.Tenant;

    private async Task FindToChangeAsync(HttpContext context, string name)
    {
        context.AuditTarget($"queue/{name}");
        var queue = await FindAsync(context, name);
        context.AuditBefore(queue);
        context.DemandChange(name, queue.Owner);
    }

    private static MoabQueueAnswer Changed(HttpContext context, QueueRecord queue)
    {
        context.AuditAfter(queue);
        return new MoabQueueAnswer(MoabQueueMapping.ToQueue(queue));
    }
}
