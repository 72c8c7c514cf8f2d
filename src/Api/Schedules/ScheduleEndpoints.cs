using System.Text.Json;
using Microsoft.Extensions.Options;
using TaskQueue.Api.Tasks;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Schedules;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Json;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Schedules;

/// <summary>Cron schedules that enqueue tasks.</summary>
internal static class ScheduleEndpoints
{
    private const int Upcoming = 5;

    public static void MapSchedules(this WebApplication app)
    {
        var schedules = app.MapGroup("/queues/{queue}/schedules").WithTags("schedules").AnswerFaults(ApiErrors.Problem).DemandQueue("queue")
            .Needs(Scope.Admin);
        schedules.MapGet("", ListAsync).Needs(Scope.Read).Produces<ScheduleList>().WithSummary("List the schedules of a queue.");
        schedules.MapPut("/{name}", PutAsync).Audited("schedule.put").TakesJson<ScheduleBody>().Produces<ScheduleDetails>()
            .Produces<ScheduleDetails>(201)
            .ProducesProblem(400).ProducesProblem(404).ProducesProblem(409).ProducesProblem(429)
            .WithSummary("Create a schedule in a declared queue, or replace all its settings; without paused it stays paused or active.");
        schedules.MapGet("/{name}", GetAsync).Needs(Scope.Read).Produces<ScheduleDetails>().ProducesProblem(404)
            .WithSummary("Get a schedule with its next five ticks.");
        schedules.MapGet("/{name}/next", NextAsync).Needs(Scope.Read).Produces<ScheduleTicks>().ProducesProblem(400).ProducesProblem(404)
            .TakesWhole("count", "1 to 100; default 5.").WithSummary("Get the next ticks of a schedule; none while it is paused.");
        schedules.MapDelete("/{name}", DeleteAsync).Audited("schedule.delete").Produces(204).ProducesProblem(404)
            .WithSummary("Delete a schedule; its tasks stay.");
        schedules.MapPost("/{name}/pause", PauseAsync).Audited("schedule.pause").Produces<ScheduleDetails>().ProducesProblem(404)
            .WithSummary("Pause a schedule; ticks that pass are skipped.");
        schedules.MapPost("/{name}/resume", ResumeAsync).Audited("schedule.resume").Produces<ScheduleDetails>().ProducesProblem(404)
            .WithSummary("Resume a schedule with its next tick.");
        schedules.MapPost("/{name}/run", RunAsync).Audited("schedule.run").Produces<TaskQueued>(202).ProducesProblem(404)
            .ProducesProblem(429).WithSummary("Enqueue a task of a schedule now; its ticks are unaffected.");
    }

    private static async Task<IResult> ListAsync(string queue, HttpContext context, ScheduleService schedules, Redaction redaction) =>
        Results.Json(new ScheduleList([.. (await schedules.ListAsync(queue, context.Access()))
            .Select(s => ToDetails(s, redaction.For(context.Caller())))]), ScheduleJson.Instance.ScheduleList);

    private static async Task<IResult> NextAsync(string queue, string name, HttpContext context, ScheduleService schedules)
    {
        PageQuery.DemandKnown(context.Request, "count");
        var count = PageQuery.Number(context.Request, "count", Upcoming, ScheduleLists.MaxTicks);
        var schedule = await schedules.FindAsync(queue, name, context.Access()) ?? throw NotFound(queue, name);
        return Results.Json(new ScheduleTicks(ScheduleService.Upcoming(schedule, count)), ScheduleJson.Instance.ScheduleTicks);
    }

    private static async Task<IResult> PutAsync(string queue, string name, HttpContext context, ScheduleService schedules,
        IOptions<EngineOptions> options)
    {
        var body = await RequestJson.ReadAsync(context, ScheduleJson.Instance.ScheduleBody, BodyLimits.One(options.Value));
        if (!QueueNames.IsValid(name))
            throw Wrong($"the name of a schedule must be {QueueNames.Rule}");
        var settings = ToSettings(body) with { Owner = context.Access().Tenant };
        await NoteBeforeAsync(queue, name, context, schedules);
        while (true)
        {
            var (change, schedule) = await schedules.UpdateAsync(queue, name, before =>
                settings with { Owner = before.Owner, Paused = body.Paused ?? before.Paused }, context.Access(), body.ExpectedVersion);
            if (change == ScheduleChange.Done)
                return Changed(context, schedule!);
            if (change == ScheduleChange.VersionMismatch)
                throw new ApiException(409, "version_mismatch",
                    $"schedule {name} has version {schedule!.Version}, not {body.ExpectedVersion}; read it again");
            if (body.ExpectedVersion is not null)
                throw NotFound(queue, name);
            (change, schedule) = await schedules.CreateAsync(queue, name, settings);
            if (change == ScheduleChange.Done)
                Changed(context, schedule!);
            if (change == ScheduleChange.Done)
                return Json(context, schedule!, 201);
            if (change == ScheduleChange.NameTaken && await schedules.FindAsync(queue, name, context.Access()) is null)
                throw new ApiException(409, "name_taken", $"queue {queue} has a schedule {name} of another tenant; choose another name");
            if (change == ScheduleChange.QueueNotFound)
                throw new ApiException(404, "not_found", $"there is no queue {queue}: declare it first");
        }
    }

    private static async Task<IResult> GetAsync(string queue, string name, HttpContext context, ScheduleService schedules) =>
        Json(context, await schedules.FindAsync(queue, name, context.Access()) ?? throw NotFound(queue, name));

    private static async Task<IResult> DeleteAsync(string queue, string name, HttpContext context, ScheduleService schedules)
    {
        await NoteBeforeAsync(queue, name, context, schedules);
        return await schedules.DeleteAsync(queue, name, context.Access()) ? Results.NoContent() : throw NotFound(queue, name);
    }

    private static async Task<IResult> PauseAsync(string queue, string name, HttpContext context, ScheduleService schedules)
    {
        await NoteBeforeAsync(queue, name, context, schedules);
        return Changed(context, (await schedules.PauseAsync(queue, name, true, context.Access())).Schedule ?? throw NotFound(queue, name));
    }

    private static async Task<IResult> ResumeAsync(string queue, string name, HttpContext context, ScheduleService schedules)
    {
        await NoteBeforeAsync(queue, name, context, schedules);
        return Changed(context, (await schedules.PauseAsync(queue, name, false, context.Access())).Schedule ?? throw NotFound(queue, name));
    }

    private static async Task<IResult> RunAsync(string queue, string name, HttpContext context, ScheduleService schedules)
    {
        var answer = await schedules.RunNowAsync(queue, name, context.Access()) ?? throw NotFound(queue, name);
        var queued = new TaskQueued(answer.Id, TaskMapping.Word(answer.Result));
        context.AuditAfter(queued, ScheduleJson.Instance.TaskQueued);
        return Results.Json(queued, ScheduleJson.Instance.TaskQueued, statusCode: 202);
    }

    private static ScheduleSettings ToSettings(ScheduleBody body) => new()
    {
        Description = body.Description is null or { Length: <= 1024 } ? body.Description ?? ""
            : throw Wrong("description must have at most 1024 characters"),
        Cron = body.Cron ?? throw Wrong("cron is missing"),
        TimeZone = body.TimeZone ?? "UTC",
        Payload = body.Data is { ValueKind: not JsonValueKind.Undefined } data ? data.GetRawText() : "null",
        HasMessages = true,
        TaskName = body.Action,
        Tier = body.Tier ?? 0,
        Priority = body.Priority is null ? null : TaskMapping.PriorityOf(body.Priority) ?? throw Wrong(TaskMapping.PriorityRule),
        DedupeKey = body.DedupeKey,
        OrderingKey = body.OrderingKey,
        Tags = body.Tags,
        ExpireAfterMs = Ms(body.ExpireAfterSeconds, "expire_after_seconds"),
        LeaseMs = Ms(body.LeaseSeconds, "lease_seconds") is not { } ms ? null
            : ms <= LeaseLimits.MaxMs ? (int)ms : throw Wrong($"lease_seconds must be 1 to {LeaseLimits.MaxMs / 1000}"),
        MaxAttempts = body.MaxAttempts,
        Retry = RetryBodies.ToPolicy(body.Retry),
        Paused = body.Paused ?? false,
    };

    private static long? Ms(double? seconds, string name) =>
        seconds is not { } s ? null : s is >= 1 and <= 315_360_000 ? (long)(s * 1000) : throw Wrong($"{name} must be 1 to 315360000");

    private static async Task NoteBeforeAsync(string queue, string name, HttpContext context, ScheduleService schedules)
    {
        if (await schedules.FindAsync(queue, name, context.Access()) is { } before)
            context.AuditBefore(before);
    }

    private static IResult Changed(HttpContext context, ScheduleRecord schedule)
    {
        context.AuditAfter(schedule);
        return Json(context, schedule);
    }

    /// <summary>Maps a schedule for the audit log, without its payload.</summary>
    public static ScheduleDetails ToAudited(ScheduleRecord schedule) =>
        ToDetails(schedule, Redactor.None) with { Data = new RawJson("\"***\"") };

    private static IResult Json(HttpContext context, ScheduleRecord schedule, int status = StatusCodes.Status200OK) =>
        Results.Json(ToDetails(schedule, context.RequestServices.GetRequiredService<Redaction>().For(context.Caller())),
            ScheduleJson.Instance.ScheduleDetails, statusCode: status);

    /// <summary>A schedule as its reader sees it.</summary>
    internal static ScheduleDetails ToDetails(ScheduleRecord schedule, Redactor redactor)
    {
        var s = schedule.Settings;
        return new ScheduleDetails(
            schedule.Queue, schedule.Name, schedule.Version, schedule.CreatedAt, schedule.UpdatedAt, s.Cron, s.TimeZone, s.TaskName,
            new RawJson(redactor.Json(s.Payload)), redactor.Text("description", s.Description),
            s.Tier, s.Priority is { } priority ? TaskMapping.Word(priority) : null, s.DedupeKey, s.OrderingKey, s.Tags ?? [],
            s.ExpireAfterMs / 1000.0, s.LeaseMs / 1000.0, s.MaxAttempts,
            RetryBodies.ToBody(s.Retry), s.Paused, schedule.LastAt, ScheduleService.Upcoming(schedule, Upcoming),
            ScheduleService.ProblemOf(schedule));
    }

    private static ApiException Wrong(string message) => new(400, "invalid_request", message);

    private static ApiException NotFound(string queue, string name) => new(404, "not_found", $"queue {queue} has no schedule {name}");
}
