using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Draining;
using TaskQueue.Engine.Queues;
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
    private const int MaxEntries = 1000;

    /// <summary>What invalid entries cost is bounded: a small body could hold a thousand.</summary>
    private const int MaxInvalid = 100;

    private const int MaxQueues = 100;
    private const double MaxWaitSeconds = 30;

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

    private static async Task<IResult> ClaimAsync(HttpContext context, TaskClaimer claims, TaskService taskService, QueueCatalog queues,
        StreamQuota streams, WorkerRegistry workers, IOptions<EngineOptions> options, Drain drain)
    {
        var body = await RequestJson.ReadAsync(context, WorkerJson.Instance.ClaimBody, BodyLimits.One(options.Value));
        var request = new ClaimRequest(
            Targets(body.Queues),
            Within(body.Max ?? 1, 1, MaxEntries, "max"),
            Name(body.Worker),
            LeaseMs(body.LeaseSeconds)) { Credential = context.Access().Credential, Contact = Contact(body.Info, context.Access()) };
        var wait = Within(body.WaitSeconds ?? 0, 0, MaxWaitSeconds, "wait_seconds");
        foreach (var target in request.Targets)
        {
            context.Demand(target.Queue);
            if (await queues.DeliveryOfAsync(target.Queue) == Delivery.Push)
                throw new ApiException(409, "push_queue", $"queue {target.Queue} is dispatched to bus workers and cannot be claimed from");
        }

        context.Memory().ReleaseBody();
        using var counted = wait > 0 ? streams.Open(context.Access().Tenant) : null;
        var worker = workers.Seen(request.WorkerKey, request.Contact, request.Targets);
        var tasks = worker is { IsDraining: true } && !worker.TellFirst()
            ? await RestAsync(TimeSpan.FromSeconds(wait), drain, context.RequestAborted)
            : await TakeAsync(claims, request with { Registered = worker }, TimeSpan.FromSeconds(wait), drain, context);
        // A worker that disconnected in the meantime, for example because it stops, never receives them.
        if (tasks.Count > 0 && context.RequestAborted.IsCancellationRequested)
            await taskService.ApplyAsync(
                [.. tasks.Select(t => taskService.Snooze(t.CorrelationId, t.Attempt, t.Worker, TimeSpan.Zero))], context.Access());
        return Results.Json(new Claimed([.. tasks.Select(WorkerMapping.ToClaimed)], worker?.IsDraining == true ? true : null),
            WorkerJson.Instance.Claimed);
    }

    /// <summary>A draining worker that claims again does not know what draining is: it must not ask all the time.</summary>
    private static async Task<IReadOnlyList<TaskState>> RestAsync(TimeSpan wait, Drain drain, CancellationToken cancellationToken)
    {
        using var leave = drain.EndWait(cancellationToken);
        await Task.Delay(drain.Shorten(wait), leave.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return [];
    }

    /// <summary>Claims tasks. Shutdown ends long-polls with an empty response.</summary>
    private static async Task<IReadOnlyList<TaskState>> TakeAsync(TaskClaimer claims, ClaimRequest request, TimeSpan wait, Drain drain,
        HttpContext context)
    {
        var cancellationToken = context.RequestAborted;
        using var leave = drain.EndWait(cancellationToken);
        try
        {
            return await claims.ClaimAsync(request, drain.Shorten(wait), leave.Token, keep: context.Memory().Keep);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return [];
        }
    }

    private static Task<IResult> HeartbeatAsync(
        HttpContext context, TaskService taskService, WorkerRegistry workers, IOptions<EngineOptions> options, TimeProvider time) =>
        ApplyAsync(context, taskService, workers, options.Value, WorkerJson.Instance.HeartbeatEntry, e =>
            taskService.Renew(Id(e.Id), Attempt(e.Attempt), worker: null, LeaseMs(e.LeaseSeconds), Progress(e.Progress))
                .With(ReportTexts.Logs(e.Logs, time)));

    private static Task<IResult> ReportAsync(
        HttpContext context, TaskService taskService, WorkerRegistry workers, IOptions<EngineOptions> options, TimeProvider time) =>
        ApplyAsync(context, taskService, workers, options.Value, WorkerJson.Instance.ReportEntry, e =>
            ToCommand(taskService, e).With(ReportTexts.Logs(e.Logs, time)));

    private static AttemptCommand ToCommand(TaskService taskService, ReportEntry e)
    {
        var (errorType, stack) = (ReportTexts.ErrorType(e.ErrorType), ReportTexts.Stack(e.Stack));
        AttemptCommand command = e.Outcome switch
        {
            "completed" =>
                taskService.Complete(Id(e.Id), Attempt(e.Attempt), worker: null,
                    e.Result is { ValueKind: not JsonValueKind.Undefined } result ? result.GetRawText() : null),
            "failed" =>
                taskService.Fail(Id(e.Id), Attempt(e.Attempt), worker: null,
                    e.Error ?? throw Wrong("a failed attempt needs an error"), e.Retryable ?? true),
            "snoozed" =>
                taskService.Snooze(Id(e.Id), Attempt(e.Attempt), worker: null,
                    TimeSpan.FromSeconds(Within(e.DelaySeconds ?? 0, 0, TaskService.MaxSnooze.TotalSeconds, "delay_seconds"))),
            _ => throw Wrong("outcome must be completed, failed or snoozed"),
        };
        if (command is FailTask fail)
            (fail.ErrorType, fail.Stack, fail.RetryAfter) = (errorType, stack, RetryAfter(e));
        else if (e.RetryAfterSeconds is not null)
            throw Wrong("retry_after_seconds is for a failed attempt; a snoozed task has delay_seconds");
        return command;
    }

    private static TimeSpan? RetryAfter(ReportEntry e) =>
        e.RetryAfterSeconds is { } seconds
            ? TimeSpan.FromSeconds(Within(seconds, 0, TaskService.MaxSnooze.TotalSeconds, "retry_after_seconds")) : null;

    /// <summary>Applies the valid entries, once all have arrived; the request is refused if none is valid, or too many are not.</summary>
    private static async Task<IResult> ApplyAsync<T>(HttpContext context, TaskService taskService, WorkerRegistry workers,
        EngineOptions options, JsonTypeInfo<T> type, Func<T, AttemptCommand> toCommand)
        where T : class
    {
        var list = new RequestList("tasks", BodyLimits.Many(options), BodyLimits.One(options), MaxEntries,
            $"tasks must be a list of 1 to {MaxEntries} entries");
        var invalid = 0;
        var entries = await RequestLists.ReadAsync(context, list, (entry, index) =>
        {
            var read = ReadEntry.Of(entry, index, type, toCommand);
            return read.Problem is { } problem && ++invalid > MaxInvalid
                ? throw Wrong($"more than {MaxInvalid} entries are invalid, so none was applied; tasks[{index}]: {problem.Message}") : read;
        });
        List<AttemptCommand> commands = [.. entries.Select(e => e.Command).OfType<AttemptCommand>()];
        if (commands.Count == 0)
            throw entries[0].Problem!;
        await taskService.ApplyAsync(commands, context.Access());
        return Results.Json(new Answers([.. entries.Select(e => e.ToAnswer())],
            WorkerReports.IsAnyDraining(workers, commands, context.Access()) ? true : null), WorkerJson.Instance.Answers);
    }

    private static List<QueueTier> Targets(IReadOnlyList<string>? queues)
    {
        if (queues is not { Count: >= 1 and <= MaxQueues })
            throw Wrong($"queues must be a list of 1 to {MaxQueues} queues");
        return [.. queues.Select(q => QueueNames.Parse(q)
            ?? throw Wrong($"queues: '{q}' is neither a name ({QueueNames.Rule}) nor name:tier")).Distinct()];
    }

    /// <exception cref="ApiException">400.</exception>
    internal static string Name(string? worker) =>
        worker is { Length: >= 1 and <= WorkerRecord.MaxName } && TextRules.IsPlain(worker) ? worker
            : throw Wrong($"worker must be a name of 1 to {WorkerRecord.MaxName} characters");

    private static WorkerContact Contact(ClaimInfo? info, Access access) => info is null ? new(WorkerContact.Http, access.Tenant)
        : new(WorkerContact.Http, access.Tenant)
        {
            Version = Text(info.Version, 100, "info.version"),
            Host = Text(info.Host, 200, "info.host"),
            Slots = info.Slots is { } slots ? Within(slots, 1, 100_000, "info.slots") : null,
            Instance = Text(info.Instance, 64, "info.instance"),
        };

    private static string? Text(string? text, int max, string name) =>
        text is null or { Length: 0 } ? null
        : text.Length <= max && TextRules.IsPlain(text) ? text
        : throw Wrong($"{name} must have at most {max} characters, and no control characters");

    private static Guid Id(Guid? id) => id ?? throw Wrong("id must be the id of a task");

    private static int Attempt(int? attempt) => attempt ?? throw Wrong("attempt must be the attempt that was claimed");

    private static string? Progress(JsonElement? progress) =>
        progress is not { ValueKind: not (JsonValueKind.Undefined or JsonValueKind.Null) } said ? null
        : said.GetRawText() is { Length: <= TaskService.MaxProgress } text ? text
        : throw Wrong($"progress must have at most {TaskService.MaxProgress} characters");

    private static int? LeaseMs(double? seconds) =>
        seconds is { } s ? (int)Within(s * 1000, LeaseLimits.MinMs, LeaseLimits.MaxMs, "lease_seconds", 1000) : null;

    private static T Within<T>(T value, T least, T most, string name, int unit = 1)
        where T : struct, IComparable<T>, IConvertible =>
        value.CompareTo(least) >= 0 && value.CompareTo(most) <= 0
            ? value
            : throw Wrong($"{name} must be {least.ToDouble(null) / unit:0} to {most.ToDouble(null) / unit:0}");

    private static ApiException Wrong(string message) => new(400, "invalid_request", message);
}
