using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Administration;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Schedules;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;

namespace TaskQueue.Adapters.Moab;

/// <summary>The RPCs of queues.</summary>
internal static class MoabQueueEndpoints
{
    public static void MapQueues(this MoabRoutes routes)
    {
        routes.Add<MoabCreateQueueBody, MoabQueueAnswer>("CreateQueue", Scope.Admin, CreateAsync, "Create a queue.", 409, 429);
        routes.Add<MoabQueueBody, MoabGetQueueAnswer>("GetQueue", Scope.Read, GetAsync, "Get a queue with its schedules and counts.", 404);
        routes.Add<MoabUpdateQueueBody, MoabQueueAnswer>(
            "UpdateQueue", Scope.Admin, UpdateAsync, "Replace all settings of a queue; omitted settings are reset.", 404);
        routes.Add<MoabQueueBody, MoabNothing>(
            "DeleteQueue", Scope.Admin, DeleteAsync, "Delete a queue with its tasks and schedules.", 404);
        routes.Add<MoabListQueuesBody, MoabQueuesAnswer>("ListQueues", Scope.Read, ListAsync, "List queues by name, in pages.");
        routes.Add<MoabQueueBody, MoabNothing>(
            "PurgeQueue", Scope.Admin, PurgeAsync, "Delete all tasks of a queue; its schedules stay.", 404);
    }

    private static async Task<IResult> CreateAsync(HttpContext context, QueueService queueService, IOptions<MoabOptions> options)
    {
        var body = await MoabBody.ReadAsync(context, MoabJson.Instance.MoabCreateQueueBody);
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

    private static async Task<IResult> GetAsync(HttpContext context, QueueCatalog queues, QueueService queueService,
        ScheduleService schedules, Redaction redaction, TimeProvider time)
    {
        var queue = await FindAsync(context, queues);
        var stats = await queueService.StatsAsync(queue.Name, context.Access(), context.RequestAborted);
        var redactor = redaction.For(context.Caller());
        var planned = (await schedules.ListAsync(queue.Name, context.Access())).OrderBy(s => s.Name, StringComparer.Ordinal)
            .Select(s => MoabScheduleMapping.ToSchedule(s, redactor));
        var now = Micros.Now(time);
        return Results.Json(
            new MoabGetQueueAnswer(MoabQueueMapping.ToQueue(queue, redactor), [.. planned], MoabQueueMapping.ToStats(stats, now),
                MoabFields.Nanoseconds(now)),
            MoabJson.Instance.MoabGetQueueAnswer);
    }

    private static async Task<IResult> UpdateAsync(HttpContext context, QueueService queueService, QueueCatalog queues)
    {
        var body = await MoabBody.ReadAsync(context, MoabJson.Instance.MoabUpdateQueueBody);
        var name = MoabFields.Name(body.QueueName, "queue_name");
        await FindToChangeAsync(context, queues, name);
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

    private static async Task<IResult> DeleteAsync(HttpContext context, QueueService queueService, QueueCatalog queues)
    {
        var name = await NameAsync(context);
        if (name == BuiltInQueues.Tasks)
            throw MoabFields.Wrong($"queue {name} is built in and cannot be deleted");
        await FindToChangeAsync(context, queues, name);
        return await queueService.DeleteAsync(name) ? Nothing() : throw MoabEndpoints.NoQueue(name);
    }

    private static async Task<IResult> ListAsync(HttpContext context, QueueCatalog queues, Redaction redaction)
    {
        var body = await MoabBody.ReadAsync(context, MoabJson.Instance.MoabListQueuesBody);
        var page = MoabPages.Of('q', (await queues.AllAsync()).Values.Where(q => context.Access().CanSeeQueue(q.Owner, q.Name)), q =>
            q.Name, body.PaginationToken, MoabPages.Limit(body.Limit));
        return Results.Json(new MoabQueuesAnswer([.. page.Items.Select(q => MoabQueueMapping.ToQueue(q, redaction.For(context.Caller())))],
            page.Next, page.Previous), MoabJson.Instance.MoabQueuesAnswer);
    }

    private static async Task<IResult> PurgeAsync(HttpContext context, QueueService queueService, QueueCatalog queues)
    {
        var name = await NameAsync(context);
        await FindToChangeAsync(context, queues, name);
        return await queueService.PurgeAsync(name) ? Nothing() : throw MoabEndpoints.NoQueue(name);
    }

    private static async Task<string> NameAsync(HttpContext context)
    {
        var name = MoabFields.Name((await MoabBody.ReadAsync(context, MoabJson.Instance.MoabQueueBody)).QueueName, "queue_name");
        context.Demand(name);
        return name;
    }

    private static async Task<QueueRecord> FindAsync(HttpContext context, QueueCatalog queues)
    {
        var queue = await MoabEndpoints.FindQueueAsync(context, queues, await NameAsync(context));
        return context.Access().CanSeeQueue(queue.Owner, queue.Name) ? queue : throw MoabEndpoints.NoQueue(queue.Name);
    }

    /// <summary>A queue created by an administrator of all tenants is shared.</summary>
    private static string? OwnerOf(HttpContext context, string name) =>
        context.Access() is var access && access.Others.Match(name) ? null : access.Tenant;

    private static async Task FindToChangeAsync(HttpContext context, QueueCatalog queues, string name)
    {
        context.AuditTarget($"queue/{name}");
        var queue = await MoabEndpoints.FindQueueAsync(context, queues, name);
        if (!context.Access().CanSeeQueue(queue.Owner, name))
            throw MoabEndpoints.NoQueue(name);
        context.AuditBefore(queue);
        context.DemandChange(name, queue.Owner);
    }

    private static IResult Changed(HttpContext context, QueueRecord queue)
    {
        context.AuditAfter(queue);
        return Answer(queue);
    }

    private static IResult Answer(QueueRecord queue) =>
        Results.Json(new MoabQueueAnswer(MoabQueueMapping.ToQueue(queue)), MoabJson.Instance.MoabQueueAnswer);

    public static IResult Nothing() => Results.Json(new MoabNothing(), MoabJson.Instance.MoabNothing);
}
