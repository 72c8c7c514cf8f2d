using System.Text.Json;
using Microsoft.Extensions.Options;
using TaskQueue.Api.Auth;
using TaskQueue.Api.Http;
using TaskQueue.Api.Tasks;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Schedules;

namespace TaskQueue.Api.Schedules;

/// <summary>Tasks that come by the clock.</summary>
internal static class ScheduleEndpoints
{
    private const int Upcoming = 5;

    public static void MapSchedules(this WebApplication app)
    {
        var schedules = app.MapGroup("/queues/{queue}/schedules").WithTags("schedules").AnswerFaults(HttpRegistration.Problem).DemandQueue("queue").Needs(Scope.Admin);
        schedules.MapGet("", ListAsync).Needs(Scope.Read).Produces<ScheduleList>().WithSummary("The schedules of a queue.");
        schedules.MapPut("/{name}", PutAsync).TakesJson<ScheduleBody>().Produces<ScheduleDetails>().Produces<ScheduleDetails>(201)
            .ProducesProblem(400).ProducesProblem(404).ProducesProblem(409).WithSummary("Make a schedule of a declared queue, or replace all of its settings.");
        schedules.MapGet("/{name}", GetAsync).Needs(Scope.Read).Produces<ScheduleDetails>().ProducesProblem(404).WithSummary("A schedule with its next five ticks.");
        schedules.MapDelete("/{name}", DeleteAsync).Produces(204).ProducesProblem(404).WithSummary("Delete a schedule; tasks that it made stay.");
        schedules.MapPost("/{name}/pause", PauseAsync).Produces<ScheduleDetails>().ProducesProblem(404).WithSummary("Stop a schedule; ticks that pass are lost.");
        schedules.MapPost("/{name}/resume", ResumeAsync).Produces<ScheduleDetails>().ProducesProblem(404).WithSummary("Let a schedule go on with its next tick.");
        schedules.MapPost("/{name}/run", RunAsync).Produces<TaskQueued>(202).ProducesProblem(404).WithSummary("Make a task of a schedule now; its ticks go on as they would.");
    }

    private static async Task<IResult> ListAsync(string queue, HttpContext context, ScheduleVerbs schedules, Redaction redaction) =>
        Results.Json(new ScheduleList([.. (await schedules.ListAsync(queue)).Select(s => ToDetails(s, redaction.For(context.Caller())))]), ScheduleJson.Shapes.ScheduleList);

    private static async Task<IResult> PutAsync(string queue, string name, HttpContext context, ScheduleVerbs schedules, IOptions<EngineOptions> options)
    {
        var body = await RequestJson.ReadAsync(context, ScheduleJson.Shapes.ScheduleBody, BodyLimits.One(options.Value));
        if (!QueueNames.IsValid(name))
            throw Wrong($"the name of a schedule must be {QueueNames.Rule}");
        var settings = ToSettings(body) with { Owner = context.Caller().Name };
        while (true)
        {
            var (change, schedule) = await schedules.UpdateAsync(queue, name, settings, body.ExpectedVersion);
            if (change == ScheduleChange.Done)
                return Json(schedule!);
            if (change == ScheduleChange.VersionMismatch)
                throw new DoorException(409, "version_mismatch", $"schedule {name} has version {schedule!.Version}, not {body.ExpectedVersion}; read it again");
            if (body.ExpectedVersion is not null)
                throw NotFound(queue, name);
            (change, schedule) = await schedules.CreateAsync(queue, name, settings);
            if (change == ScheduleChange.Done)
                return Results.Json(ToDetails(schedule!, Redactor.None), ScheduleJson.Shapes.ScheduleDetails, statusCode: 201);
            if (change == ScheduleChange.QueueNotFound)
                throw new DoorException(404, "not_found", $"there is no queue {queue}: declare it first");
        }
    }

    private static async Task<IResult> GetAsync(string queue, string name, HttpContext context, ScheduleVerbs schedules, Redaction redaction) =>
        Json(await schedules.FindAsync(queue, name) ?? throw NotFound(queue, name), redaction.For(context.Caller()));

    private static async Task<IResult> DeleteAsync(string queue, string name, ScheduleVerbs schedules) =>
        await schedules.DeleteAsync(queue, name) ? Results.NoContent() : throw NotFound(queue, name);

    private static async Task<IResult> PauseAsync(string queue, string name, ScheduleVerbs schedules) =>
        Json((await schedules.PauseAsync(queue, name, true)).Schedule ?? throw NotFound(queue, name));

    private static async Task<IResult> ResumeAsync(string queue, string name, ScheduleVerbs schedules) =>
        Json((await schedules.PauseAsync(queue, name, false)).Schedule ?? throw NotFound(queue, name));

    private static async Task<IResult> RunAsync(string queue, string name, ScheduleVerbs schedules)
    {
        var answer = await schedules.RunNowAsync(queue, name) ?? throw NotFound(queue, name);
        return Results.Json(new TaskQueued(answer.Id, TaskMapping.Word(answer.Result)), ScheduleJson.Shapes.TaskQueued, statusCode: 202);
    }

    private static ScheduleSettings ToSettings(ScheduleBody body) => new()
    {
        Description = body.Description is null or { Length: <= 1024 } ? body.Description ?? "" : throw Wrong("description must have at most 1024 characters"),
        Cron = body.Cron ?? throw Wrong("cron must say when"),
        TimeZone = body.TimeZone ?? "UTC",
        Payload = body.Data is { ValueKind: not JsonValueKind.Undefined } data ? data.GetRawText() : "null",
        TaskName = body.Action,
        Level = body.Level ?? 0,
        Priority = body.Priority is null ? null : TaskMapping.PriorityOf(body.Priority) ?? throw Wrong(TaskMapping.PriorityRule),
        DedupeKey = body.DedupeKey,
        ThreadId = body.ThreadId,
        ExpireAfterMs = Ms(body.ExpireAfterSeconds, "expire_after_seconds"),
        LeaseMs = (int?)Ms(body.LeaseSeconds, "lease_seconds"),
        MaxAttempts = body.MaxAttempts,
        Retry = RetryBodies.ToPolicy(body.Retry),
        Paused = body.Paused ?? false,
    };

    private static long? Ms(double? seconds, string name) =>
        seconds is not { } s ? null : s is >= 1 and <= 315_360_000 ? (long)(s * 1000) : throw Wrong($"{name} must be 1 to 315360000");

    private static IResult Json(ScheduleRecord schedule, Redactor? redactor = null) => Results.Json(ToDetails(schedule, redactor ?? Redactor.None), ScheduleJson.Shapes.ScheduleDetails);

    private static ScheduleDetails ToDetails(ScheduleRecord schedule, Redactor redactor)
    {
        var s = schedule.Settings;
        return new ScheduleDetails(
            schedule.Queue, schedule.Name, schedule.Version, schedule.CreatedAt, schedule.UpdatedAt, s.Cron, s.TimeZone, s.TaskName, new RawJson(redactor.Json(s.Payload)), redactor.Text("description", s.Description),
            s.Level, s.Priority is { } priority ? TaskMapping.Word(priority) : null, s.DedupeKey, s.ThreadId, s.ExpireAfterMs / 1000.0, s.LeaseMs / 1000.0, s.MaxAttempts,
            RetryBodies.ToBody(s.Retry), s.Paused, schedule.LastAt, ScheduleVerbs.Upcoming(schedule, Upcoming));
    }

    private static DoorException Wrong(string message) => new(400, "invalid_request", message);

    private static DoorException NotFound(string queue, string name) => new(404, "not_found", $"queue {queue} has no schedule {name}");
}
