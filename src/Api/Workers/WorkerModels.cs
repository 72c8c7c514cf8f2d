using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Api.Tasks;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.Workers;

/// <summary>POST /workers/claim.</summary>
/// <param name="Queues">1 to 100 queues, highest precedence first: <c>name</c> (tier 0) or <c>name:tier</c>.</param>
/// <param name="Worker">Name of the worker: 1 to 200 characters.</param>
/// <param name="Max">Maximum number of tasks: 1 to 1,000; default 1.</param>
/// <param name="LeaseSeconds">How long a task may go without a heartbeat: 1 to 86,400; default as set for the task or its queue, else
/// 15.</param>
/// <param name="WaitSeconds">How long to wait if nothing is due: 0 to 30; default 0.</param>
/// <param name="Info">What GET /workers shows of the worker.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record ClaimBody(
    IReadOnlyList<string>? Queues, string? Worker, int? Max, double? LeaseSeconds, double? WaitSeconds, ClaimInfo? Info);

/// <summary>Response of a claim.</summary>
/// <param name="Tasks">Empty if nothing became due in time.</param>
/// <param name="Drain">True if the worker is asked to finish its tasks and claim no more: it gets none. Omitted otherwise.</param>
internal sealed record Claimed(
    IReadOnlyList<ClaimedTask> Tasks, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] bool? Drain);

/// <summary>
/// A task with its lease, which lasts <c>lease_seconds</c> from now or the last heartbeat, and ends at <c>lease_until</c> by the clock of
/// the database. Send <c>attempt</c> with every heartbeat and report. <c>traceparent</c> and <c>tracestate</c> are the W3C
/// trace context of its submission, for the worker to continue; null if there is none. <c>progress</c> is what an earlier attempt
/// reported last; omitted if there is none.
/// </summary>
internal sealed record ClaimedTask(
    Guid Id, int Attempt, string Queue, int Tier, string? Name, string Priority, RawJson Payload, int MaxAttempts,
    DateTime LeaseUntil, double LeaseSeconds, DateTime CreatedAt, DateTime? ExpiresAt, string? OrderingKey,
    string? Traceparent, string? Tracestate, IReadOnlyList<string> Tags,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] RawJson? Progress);

/// <summary>POST /workers/heartbeat: 1 to 1,000 running attempts.</summary>
internal sealed record HeartbeatBody(IReadOnlyList<HeartbeatEntry?>? Tasks);

/// <param name="Id">The task.</param>
/// <param name="Attempt">The attempt that was claimed.</param>
/// <param name="LeaseSeconds">New length of the lease; default: unchanged.</param>
/// <param name="Progress">Progress as any JSON, at most 4,096 characters; GET /tasks/{id} shows the latest, and the claim of the next
/// attempt returns it.</param>
/// <param name="Logs">At most 100 lines that the worker logged; GET /tasks/{id}/logs shows the newest 64 kB and 1,000 lines.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record HeartbeatEntry(Guid? Id, int? Attempt, double? LeaseSeconds, JsonElement? Progress, IReadOnlyList<LogBody?>? Logs);

/// <summary>A line that a worker logged.</summary>
/// <param name="At">When: ISO 8601 with a zone, or Unix seconds; default now.</param>
/// <param name="Level"><c>debug</c>, <c>info</c> (the default), <c>warning</c> or <c>error</c>.</param>
/// <param name="Message">The text.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record LogBody(JsonElement? At, string? Level, string? Message);

/// <summary>POST /workers/report: 1 to 1,000 outcomes.</summary>
internal sealed record ReportBody(IReadOnlyList<ReportEntry?>? Tasks);

/// <param name="Id">The task.</param>
/// <param name="Attempt">The attempt that was claimed.</param>
/// <param name="Outcome"><c>completed</c>, <c>failed</c>, or <c>snoozed</c>: the task runs again later, and no attempt is counted.</param>
/// <param name="Result">Result of a completed attempt: any JSON.</param>
/// <param name="Error">Error of a failed attempt.</param>
/// <param name="Retryable">Whether a failed attempt may be retried; default true.</param>
/// <param name="DelaySeconds">Delay of a snoozed task: 0 to 2,592,000 (30 days); default 0.</param>
/// <param name="RetryAfterSeconds">How long the next attempt of a failed one waits: 0 to 2,592,000 (30 days); default as the retry policy
/// of the task says.</param>
/// <param name="ErrorType">Type of the error, such as the class of an exception: at most 200 characters.</param>
/// <param name="Stack">Where the error came from: at most 16,384 bytes.</param>
/// <param name="Logs">At most 100 lines that the worker logged since its last heartbeat.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record ReportEntry(Guid? Id, int? Attempt, string? Outcome, JsonElement? Result, string? Error, bool? Retryable,
    double? DelaySeconds, double? RetryAfterSeconds, string? ErrorType, string? Stack, IReadOnlyList<LogBody?>? Logs);

/// <summary>Response of heartbeats and reports.</summary>
/// <param name="Tasks">One entry each, in request order.</param>
/// <param name="Drain">True if the worker is asked to finish its tasks and claim no more. Omitted otherwise.</param>
internal sealed record Answers(
    IReadOnlyList<Answer> Tasks, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] bool? Drain);

/// <param name="Id">The task.</param>
/// <param name="Attempt">The attempt that was sent.</param>
/// <param name="Code"><c>ok</c>, <c>duplicate</c> (already applied: no change), <c>stale_attempt</c> (the lease is lost: drop the work),
/// <c>finished</c> (the task has ended, e.g. cancelled), <c>not_found</c> or, of one entry among valid ones, <c>invalid</c> (not
/// applied).</param>
/// <param name="Error">Why an entry is invalid. Omitted otherwise.</param>
internal sealed record Answer(
    Guid? Id, int? Attempt, string Code, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Error = null);

[JsonSerializable(typeof(ClaimBody))]
[JsonSerializable(typeof(Claimed))]
[JsonSerializable(typeof(HeartbeatEntry))]
[JsonSerializable(typeof(ReportEntry))]
[JsonSerializable(typeof(Answers))]
internal sealed partial class WorkerJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static WorkerJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}

internal static class WorkerMapping
{
    public static ClaimedTask ToClaimed(TaskState t)
    {
        var trace = TraceHeaders.Of(t.Headers);
        return new(t.CorrelationId, t.Attempt, t.Queue, t.Tier, t.Name, TaskMapping.Word(t.Priority), new RawJson(t.Payload), t.MaxAttempts,
            t.LeaseUntil ?? t.CreatedAt, t.LeaseMs / 1000.0, t.CreatedAt, t.ExpiresAt, TenantKey.Show(t.OrderingKey), trace?.Parent,
            trace?.State, TaskTags.Split(t.Tags), t.Progress is { } progress ? new RawJson(progress) : null);
    }

    public static string Code(CommandResult commandResult) =>
        commandResult switch
        {
            CommandResult.Applied => "ok",
            CommandResult.Duplicate => "duplicate",
            CommandResult.NotFound => "not_found",
            CommandResult.Finished => "finished",
            _ => "stale_attempt",
        };
}
