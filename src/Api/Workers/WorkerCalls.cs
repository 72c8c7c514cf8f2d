using System.Text.Json;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Draining;
using TaskQueue.Engine.Memory;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Workers;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.Api.Workers;

/// <summary>Claims, heartbeats and reports of workers, over HTTP and gRPC alike.</summary>
internal sealed class WorkerCalls(TaskClaimer claims, TaskService taskService, QueueCatalog queues, WorkerRegistry workers, Drain drain,
    TimeProvider time)
{
    /// <summary>Maximum number of tasks of a request.</summary>
    public const int MaxEntries = 1000;

    public const double MaxWaitSeconds = 30;

    /// <summary>Maximum number of queues of a claim.</summary>
    public const int MaxQueues = 100;

    /// <summary>Error for a request with too few or too many entries.</summary>
    public static readonly string EntriesRule = $"tasks must be a list of 1 to {MaxEntries} entries";

    /// <summary>Maps a claim.</summary>
    /// <param name="body">The claim.</param>
    /// <param name="access">Access of the worker.</param>
    /// <param name="transport">How it is connected.</param>
    /// <exception cref="ApiException">400.</exception>
    public static ClaimRequest ToClaim(ClaimBody body, Access access, string transport) =>
        new(Targets(body.Queues), Within(body.Max ?? 1, 1, MaxEntries, "max"), Name(body.Worker), LeaseMs(body.LeaseSeconds))
        {
            Credential = access.Credential,
            Contact = Contact(body.Info, access, transport),
        };

    /// <summary>Demands that a worker may claim from all of its queues, and can.</summary>
    /// <exception cref="ApiException">403 or 409.</exception>
    public async Task DemandAsync(HttpContext context, ClaimRequest request)
    {
        foreach (var target in request.Targets)
        {
            context.Demand(target.Queue);
            if (await queues.DeliveryOfAsync(target.Queue) == Delivery.Push)
                throw new ApiException(409, "push_queue", $"queue {target.Queue} is dispatched to bus workers and cannot be claimed from");
        }
    }

    /// <summary>Claims tasks. Shutdown ends the wait with an empty response.</summary>
    /// <param name="request">The claim; with a maximum of 0 the worker has no room, and is still seen.</param>
    /// <param name="wait">Maximum wait if nothing is due.</param>
    /// <param name="rest">Wait of a worker that was already asked to drain.</param>
    /// <param name="keep">Receives the memory reserved for the tasks.</param>
    /// <param name="cancellationToken">Cancelled when the worker has left.</param>
    /// <returns>The tasks, and whether the worker is asked to drain.</returns>
    public async Task<(IReadOnlyList<TaskState> Tasks, bool IsDraining)> ClaimAsync(ClaimRequest request, TimeSpan wait,
        TimeSpan rest, Action<MemoryLease> keep, CancellationToken cancellationToken)
    {
        var worker = workers.Seen(request.WorkerKey, request.Contact, request.Targets);
        var tasks = worker is { IsDraining: true } && !worker.TellFirst() ? await RestAsync(rest, cancellationToken)
            : request.Max == 0 ? []
            : await TakeAsync(request with { Registered = worker }, wait, keep, cancellationToken);
        return (tasks, worker?.IsDraining == true);
    }

    /// <summary>Gives back tasks that their worker does not receive, without counting an attempt.</summary>
    public Task GiveBackAsync(IEnumerable<TaskState> tasks, Access access) =>
        taskService.ApplyAsync([.. tasks.Select(t => taskService.Snooze(t.CorrelationId, t.Attempt, t.Worker, TimeSpan.Zero))], access);

    /// <exception cref="ApiException">400.</exception>
    public AttemptCommand ToCommand(HeartbeatEntry e) =>
        ToCommand(e, e.Progress is { ValueKind: not (JsonValueKind.Undefined or JsonValueKind.Null) } said ? said.GetRawText() : null);

    /// <param name="e">The heartbeat.</param>
    /// <param name="progress">Its progress as JSON.</param>
    /// <exception cref="ApiException">400.</exception>
    public AttemptCommand ToCommand(HeartbeatEntry e, string? progress) =>
        taskService.Renew(Id(e.Id), Attempt(e.Attempt), worker: null, LeaseMs(e.LeaseSeconds), Progress(progress))
            .With(ReportTexts.Logs(e.Logs, time));

    /// <exception cref="ApiException">400.</exception>
    public AttemptCommand ToCommand(ReportEntry e) =>
        ToCommand(e, e.Result is { ValueKind: not JsonValueKind.Undefined } result ? result.GetRawText() : null);

    /// <param name="e">The report.</param>
    /// <param name="result">Its result as JSON.</param>
    /// <exception cref="ApiException">400.</exception>
    public AttemptCommand ToCommand(ReportEntry e, string? result)
    {
        var (errorType, stack) = (ReportTexts.ErrorType(e.ErrorType), ReportTexts.Stack(e.Stack));
        AttemptCommand command = e.Outcome switch
        {
            "completed" =>
                taskService.Complete(Id(e.Id), Attempt(e.Attempt), worker: null, result),
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
        return command.With(ReportTexts.Logs(e.Logs, time));
    }

    /// <summary>Applies the valid ones of heartbeats or reports.</summary>
    /// <returns>Whether a worker that sent one is asked to drain.</returns>
    /// <exception cref="ApiException">None is valid: the problem of the first.</exception>
    public async Task<bool> ApplyAsync(IReadOnlyList<ReadEntry> entries, Access access)
    {
        List<AttemptCommand> commands = [.. entries.Select(e => e.Command).OfType<AttemptCommand>()];
        if (commands.Count == 0)
            throw entries[0].Problem!;
        await taskService.ApplyAsync(commands, access);
        return WorkerReports.IsAnyDraining(workers, commands, access);
    }

    /// <summary>A worker says goodbye.</summary>
    /// <exception cref="ApiException">400.</exception>
    public void Stopped(string? worker, Access access) =>
        workers.Stopped(new WorkerKey(access.Tenant, access.Credential, Name(worker)));

    /// <exception cref="ApiException">400.</exception>
    public static T Within<T>(T value, T least, T most, string name, int unit = 1)
        where T : struct, IComparable<T>, IConvertible =>
        value.CompareTo(least) >= 0 && value.CompareTo(most) <= 0
            ? value
            : throw Wrong($"{name} must be {least.ToDouble(null) / unit:0} to {most.ToDouble(null) / unit:0}");

    public static ApiException Wrong(string message) => new(400, "invalid_request", message);

    /// <summary>A draining worker that claims again does not know what draining is: it must not ask all the time.</summary>
    private async Task<IReadOnlyList<TaskState>> RestAsync(TimeSpan wait, CancellationToken cancellationToken)
    {
        using var leave = drain.EndWait(cancellationToken);
        await Task.Delay(drain.Shorten(wait), leave.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return [];
    }

    private async Task<IReadOnlyList<TaskState>> TakeAsync(ClaimRequest request, TimeSpan wait, Action<MemoryLease> keep,
        CancellationToken cancellationToken)
    {
        using var leave = drain.EndWait(cancellationToken);
        try
        {
            return await claims.ClaimAsync(request, drain.Shorten(wait), leave.Token, keep: keep);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return [];
        }
    }

    private static TimeSpan? RetryAfter(ReportEntry e) =>
        e.RetryAfterSeconds is { } seconds
            ? TimeSpan.FromSeconds(Within(seconds, 0, TaskService.MaxSnooze.TotalSeconds, "retry_after_seconds")) : null;

    private static List<QueueTier> Targets(IReadOnlyList<string>? queues)
    {
        if (queues is not { Count: >= 1 and <= MaxQueues })
            throw Wrong($"queues must be a list of 1 to {MaxQueues} queues");
        return [.. queues.Select(q => QueueNames.Parse(q)
            ?? throw Wrong($"queues: '{q}' is neither a name ({QueueNames.Rule}) nor name:tier")).Distinct()];
    }

    private static string Name(string? worker) =>
        worker is { Length: >= 1 and <= WorkerRecord.MaxName } && TextRules.IsPlain(worker) ? worker
            : throw Wrong($"worker must be a name of 1 to {WorkerRecord.MaxName} characters");

    private static WorkerContact Contact(ClaimInfo? info, Access access, string transport) => info is null ? new(transport, access.Tenant)
        : new(transport, access.Tenant)
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

    private static string? Progress(string? progress) =>
        progress is null or { Length: <= TaskService.MaxProgress } ? progress
        : throw Wrong($"progress must have at most {TaskService.MaxProgress} characters");

    private static int? LeaseMs(double? seconds) =>
        seconds is { } s ? (int)Within(s * 1000, LeaseLimits.MinMs, LeaseLimits.MaxMs, "lease_seconds", 1000) : null;
}
