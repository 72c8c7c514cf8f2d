using Microsoft.Extensions.Options;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Schedules;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.Adapters.Moab;

/// <summary>The RPCs of schedules.</summary>
internal static class MoabScheduleEndpoints
{
    public static void MapSchedules(this MoabRoutes routes)
    {
        routes.Add<MoabCreateScheduleBody, MoabScheduleAnswer>(
            "CreateSchedule", Scope.Admin, CreateAsync,
            "Create a schedule that enqueues a task at every tick.", 404, 409, 429);
        routes.Add<MoabScheduleBody, MoabScheduleAnswer>("GetSchedule", Scope.Read, GetAsync, "Get a schedule.", 404);
        routes.Add<MoabUpdateScheduleBody, MoabScheduleAnswer>(
            "UpdateSchedule", Scope.Admin, UpdateAsync,
            "Replace all settings of a schedule; omitted settings are reset.", 404);
        routes.Add<MoabScheduleBody, MoabNothing>("DeleteSchedule", Scope.Admin, DeleteAsync, "Delete a schedule; its tasks stay.", 404);
        routes.Add<MoabListSchedulesBody, MoabSchedulesAnswer>(
            "ListSchedules", Scope.Read, ListAsync, "List the schedules of a queue by name, in pages.", 404);
    }

    private static async Task<IResult> CreateAsync(HttpContext context, ScheduleService schedules, IOptions<MoabOptions> options)
    {
        var body = await MoabBody.ReadAsync(context, MoabJson.Instance.MoabCreateScheduleBody);
        var (queue, name) = (MoabFields.Name(body.QueueName, "queue_name"), MoabFields.Name(body.Name, "name"));
        context.AuditTarget($"schedule/{queue}/{name}");
        context.Demand(queue);
        var settings = MoabScheduleMapping.ToSettings(body) with { Owner = context.Access().Tenant };
        var (here, everywhere) = (options.Value.MaxSchedulesPerQueue, options.Value.MaxSchedules);
        var done = await schedules.CreateAsync(queue, name, settings, new ScheduleQuota(here, everywhere));
        return done.Change switch
        {
            ScheduleChange.QueueFull =>
                throw MoabEndpoints.Exhausted($"queue {queue} has {here} schedules already; delete one, or raise "
                    + "TaskQueue:Moab:MaxSchedulesPerQueue", here),
            ScheduleChange.Full =>
                throw MoabEndpoints.Exhausted($"there are {everywhere} schedules already; delete one, or raise TaskQueue:Moab:MaxSchedules",
                    everywhere),
            _ => Answer(context, Noted(context, done), queue, name),
        };
    }

    private static async Task<IResult> GetAsync(HttpContext context, QueueCatalog queues, ScheduleService schedules, Redaction redaction)
    {
        var (queue, name) = await NamesAsync(context);
        await MoabEndpoints.FindQueueAsync(context, queues, queue);
        var schedule = await schedules.FindAsync(queue, name, context.Access()) ?? throw NoSchedule(queue, name);
        return Answer(schedule, redaction.For(context.Caller()));
    }

    private static async Task<IResult> UpdateAsync(HttpContext context, QueueCatalog queues, ScheduleService schedules)
    {
        var body = await MoabBody.ReadAsync(context, MoabJson.Instance.MoabUpdateScheduleBody);
        var (queue, name) = (MoabFields.Name(body.QueueName, "queue_name"), MoabFields.Name(body.ScheduleName, "schedule_name"));
        var settings = MoabScheduleMapping.ToSettings(MoabScheduleMapping.ToSettingsBody(body));
        var expected = MoabEndpoints.ExpectedVersion(body.ExpectedVersion);
        await MoabEndpoints.FindQueueAsync(context, queues, queue);
        await NoteBeforeAsync(context, schedules, queue, name);
        // Settings that Moab does not know are kept.
        var done = await schedules.UpdateAsync(queue, name, before => settings with
        {
            Headers = before.Headers, TaskName = before.TaskName, Tier = before.Tier, Priority = before.Priority,
            OrderingKey = before.OrderingKey, Owner = before.Owner, Paused = before.Paused, Adapter = before.Adapter,
        }, context.Access(), expected);
        return Answer(context, Noted(context, done), queue, name, expected);
    }

    private static async Task<IResult> DeleteAsync(HttpContext context, QueueCatalog queues, ScheduleService schedules)
    {
        var (queue, name) = await NamesAsync(context);
        await MoabEndpoints.FindQueueAsync(context, queues, queue);
        await NoteBeforeAsync(context, schedules, queue, name);
        return await schedules.DeleteAsync(queue, name, context.Access()) ? MoabQueueEndpoints.Nothing() : throw NoSchedule(queue, name);
    }

    private static async Task<IResult> ListAsync(HttpContext context, QueueCatalog queues, ScheduleService schedules, Redaction redaction)
    {
        var body = await MoabBody.ReadAsync(context, MoabJson.Instance.MoabListSchedulesBody);
        var queue = MoabFields.Name(body.QueueName, "queue_name");
        var limit = MoabPages.Limit(body.Limit);
        _ = MoabPages.Token(body.PaginationToken);
        await MoabEndpoints.FindQueueAsync(context, queues, queue);
        var page = MoabPages.Of('s', await schedules.ListAsync(queue, context.Access()), s => s.Name, body.PaginationToken, limit);
        return Results.Json(new MoabSchedulesAnswer([.. page.Items.Select(s =>
            MoabScheduleMapping.ToSchedule(s, redaction.For(context.Caller())))], page.Next, page.Previous),
                MoabJson.Instance.MoabSchedulesAnswer);
    }

    private static async Task<(string Queue, string Name)> NamesAsync(HttpContext context)
    {
        var body = await MoabBody.ReadAsync(context, MoabJson.Instance.MoabScheduleBody);
        return (MoabFields.Name(body.QueueName, "queue_name"), MoabFields.Name(body.ScheduleName, "schedule_name"));
    }

    private static async Task NoteBeforeAsync(HttpContext context, ScheduleService schedules, string queue, string name)
    {
        context.AuditTarget($"schedule/{queue}/{name}");
        if (await schedules.FindAsync(queue, name, context.Access()) is { } before)
            context.AuditBefore(before);
    }

    private static (ScheduleChange Change, ScheduleRecord? Schedule) Noted(HttpContext context,
        (ScheduleChange Change, ScheduleRecord? Schedule) done)
    {
        if (done is (ScheduleChange.Done, { } schedule))
            context.AuditAfter(schedule);
        return done;
    }

    private static IResult Answer(HttpContext context, (ScheduleChange Change, ScheduleRecord? Schedule) done, string queue, string name,
        int? expected = null) =>
        done.Change switch
        {
            ScheduleChange.Done => Answer(done.Schedule!, context.RequestServices.GetRequiredService<Redaction>().For(context.Caller())),
            ScheduleChange.NameTaken => throw MoabEndpoints.Taken($"queue {queue} has a schedule {name} already", "schedule_name", name),
            ScheduleChange.VersionMismatch => throw MoabEndpoints.WrongVersion(expected, done.Schedule?.Version),
            ScheduleChange.QueueNotFound => throw MoabEndpoints.NoQueue(queue),
            _ => throw NoSchedule(queue, name),
        };

    private static IResult Answer(ScheduleRecord schedule, Redactor redactor) =>
        Results.Json(new MoabScheduleAnswer(MoabScheduleMapping.ToSchedule(schedule, redactor)), MoabJson.Instance.MoabScheduleAnswer);

    private static ApiException NoSchedule(string queue, string name) =>
        new(404, "NOT_FOUND", $"there is no schedule {name} in queue {queue}",
            new Dictionary<string, string> { ["queue_name"] = queue, ["schedule_name"] = name });
}
