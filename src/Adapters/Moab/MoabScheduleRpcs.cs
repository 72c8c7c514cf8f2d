using Microsoft.Extensions.Options;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Schedules;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.Adapters.Moab;

/// <summary>The RPCs of schedules.</summary>
internal sealed class MoabScheduleRpcs(QueueCatalog queues, ScheduleService schedules, Redaction redaction, IOptions<MoabOptions> options)
{
    public async Task<MoabScheduleAnswer> CreateAsync(HttpContext context, MoabCreateScheduleBody body)
    {
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

    public async Task<MoabScheduleAnswer> GetAsync(HttpContext context, MoabScheduleBody body)
    {
        var (queue, name) = NamesOf(body);
        await MoabEndpoints.FindQueueAsync(context, queues, queue);
        var schedule = await schedules.FindAsync(queue, name, context.Access()) ?? throw NoSchedule(queue, name);
        return Answer(schedule, redaction.For(context.Caller()));
    }

    public async Task<MoabScheduleAnswer> UpdateAsync(HttpContext context, MoabUpdateScheduleBody body)
    {
        var (queue, name) = (MoabFields.Name(body.QueueName, "queue_name"), MoabFields.Name(body.ScheduleName, "schedule_name"));
        var settings = MoabScheduleMapping.ToSettings(MoabScheduleMapping.ToSettingsBody(body));
        var expected = MoabEndpoints.ExpectedVersion(body.ExpectedVersion);
        await MoabEndpoints.FindQueueAsync(context, queues, queue);
        await NoteBeforeAsync(context, queue, name);
        // Settings that Moab does not know are kept.
        var done = await schedules.UpdateAsync(queue, name, before => settings with
        {
            Headers = before.Headers, TaskName = before.TaskName, Tier = before.Tier, Priority = before.Priority,
            OrderingKey = before.OrderingKey, Owner = before.Owner, Paused = before.Paused, Adapter = before.Adapter,
        }, context.Access(), expected);
        return Answer(context, Noted(context, done), queue, name, expected);
    }

    public async Task<MoabNothing> DeleteAsync(HttpContext context, MoabScheduleBody body)
    {
        var (queue, name) = NamesOf(body);
        await MoabEndpoints.FindQueueAsync(context, queues, queue);
        await NoteBeforeAsync(context, queue, name);
        return await schedules.DeleteAsync(queue, name, context.Access()) ? new MoabNothing() : throw NoSchedule(queue, name);
    }

    public async Task<MoabSchedulesAnswer> ListAsync(HttpContext context, MoabListSchedulesBody body)
    {
        var queue = MoabFields.Name(body.QueueName, "queue_name");
        var limit = MoabPages.Limit(body.Limit);
        _ = MoabPages.Token(body.PaginationToken);
        await MoabEndpoints.FindQueueAsync(context, queues, queue);
        var page = MoabPages.Of('s', await schedules.ListAsync(queue, context.Access()), s => s.Name, body.PaginationToken, limit);
        return new MoabSchedulesAnswer([.. page.Items.Select(s => MoabScheduleMapping.ToSchedule(s, redaction.For(context.Caller())))],
            page.Next, page.Previous);
    }

    private static (string Queue, string Name) NamesOf(MoabScheduleBody body) =>
        (MoabFields.Name(body.QueueName, "queue_name"), MoabFields.Name(body.ScheduleName, "schedule_name"));

    private async Task NoteBeforeAsync(HttpContext context, string queue, string name)
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

    private MoabScheduleAnswer Answer(HttpContext context, (ScheduleChange Change, ScheduleRecord? Schedule) done, string queue,
        string name, int? expected = null) =>
        done.Change switch
        {
            ScheduleChange.Done => Answer(done.Schedule!, redaction.For(context.Caller())),
            ScheduleChange.NameTaken => throw MoabEndpoints.Taken($"queue {queue} has a schedule {name} already", "schedule_name", name),
            ScheduleChange.VersionMismatch => throw MoabEndpoints.WrongVersion(expected, done.Schedule?.Version),
            ScheduleChange.QueueNotFound => throw MoabEndpoints.NoQueue(queue),
            _ => throw NoSchedule(queue, name),
        };

    private static MoabScheduleAnswer Answer(ScheduleRecord schedule, Redactor redactor) =>
        new(MoabScheduleMapping.ToSchedule(schedule, redactor));

    private static ApiException NoSchedule(string queue, string name) =>
        new(404, "NOT_FOUND", $"there is no schedule {name} in queue {queue}",
            new Dictionary<string, string> { ["queue_name"] = queue, ["schedule_name"] = name });
}
