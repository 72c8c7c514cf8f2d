using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Workers;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Workers;

/// <summary>The native API for pull workers in any language.</summary>
internal static class WorkerEndpoints
{
    public static void MapWorkers(this WebApplication app)
    {
        var workers = app.MapGroup("/workers").WithTags("workers").AnswerFaults(ApiErrors.Problem).Needs(Scope.Work);
        workers.MapPost("/claim", ClaimAsync).WithName("claimTasks").MayWait().TakesJson<ClaimBody>().Produces<Claimed>()
            .ProducesProblem(400).ProducesProblem(429)
            .WithSummary("Claim up to max due tasks with a lease; can wait up to 30 s for tasks.");
        workers.MapPost("/heartbeat", HeartbeatAsync).WithName("renewTasks").TakesJson<HeartbeatBody>().Produces<Answers>()
            .ProducesProblem(400).WithSummary("Renew the leases of running attempts.");
        workers.MapPost("/report", ReportAsync).WithName("reportTasks").TakesJson<ReportBody>().Produces<Answers>().ProducesProblem(400)
            .WithSummary("Report completed or failed attempts, or snooze tasks.");
        workers.MapWorkerList();
    }

    private static async Task<IResult> ClaimAsync(HttpContext context, WorkerCalls calls, StreamQuota streams,
        IOptions<EngineOptions> options)
    {
        var body = await RequestJson.ReadAsync(context, WorkerJson.Instance.ClaimBody, BodyLimits.One(options.Value));
        var request = WorkerCalls.ToClaim(body, context.Access(), WorkerContact.Http);
        var wait = WorkerCalls.Within(body.WaitSeconds ?? 0, 0, WorkerCalls.MaxWaitSeconds, "wait_seconds");
        await calls.DemandAsync(context, request);
        context.Memory().ReleaseBody();
        using var counted = wait > 0 ? streams.Open(context.Access().Tenant) : null;
        var longest = TimeSpan.FromSeconds(wait);
        var (tasks, isDraining) = await calls.ClaimAsync(request, longest, longest, context.Memory().Keep, context.RequestAborted);
        // A worker that disconnected in the meantime, for example because it stops, never receives them.
        if (tasks.Count > 0 && context.RequestAborted.IsCancellationRequested)
            await calls.GiveBackAsync(tasks, context.Access());
        return Results.Json(new Claimed([.. tasks.Select(WorkerMapping.ToClaimed)], isDraining ? true : null), WorkerJson.Instance.Claimed);
    }

    private static Task<IResult> HeartbeatAsync(HttpContext context, WorkerCalls calls, IOptions<EngineOptions> options) =>
        ApplyAsync(context, calls, options.Value, WorkerJson.Instance.HeartbeatEntry, calls.ToCommand);

    private static Task<IResult> ReportAsync(HttpContext context, WorkerCalls calls, IOptions<EngineOptions> options) =>
        ApplyAsync(context, calls, options.Value, WorkerJson.Instance.ReportEntry, calls.ToCommand);

    /// <summary>Applies the valid entries, once all have arrived; the request is refused if none is valid, or too many are not.</summary>
    private static async Task<IResult> ApplyAsync<T>(HttpContext context, WorkerCalls calls, EngineOptions options,
        JsonTypeInfo<T> type, Func<T, AttemptCommand> toCommand)
        where T : class
    {
        var list = new RequestList("tasks", BodyLimits.Many(options), BodyLimits.One(options), WorkerCalls.MaxEntries,
            WorkerCalls.EntriesRule);
        var invalid = new InvalidEntries();
        var entries = await RequestLists.ReadAsync(
            context, list, (entry, index) => invalid.Check(ReadEntry.Of(entry, index, type, toCommand), index));
        var isDraining = await calls.ApplyAsync(entries, context.Access());
        return Results.Json(new Answers([.. entries.Select(e => e.ToAnswer())], isDraining ? true : null), WorkerJson.Instance.Answers);
    }
}
