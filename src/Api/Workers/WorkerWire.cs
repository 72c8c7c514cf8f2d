using System.Text.Json;
using Google.Protobuf.Collections;
using Google.Protobuf.WellKnownTypes;
using TaskQueue.Api.Rpc;
using TaskQueue.Engine.Tasks;
using Wire = TaskQueue.Rpc.V1;

namespace TaskQueue.Api.Workers;

/// <summary>Maps the messages of gRPC to those of JSON, and back.</summary>
internal static class WorkerWire
{
    public static ClaimBody ToBody(Wire.ClaimRequest first) =>
        new([.. first.Queues], first.Worker, Max: null, first.HasLeaseSeconds ? first.LeaseSeconds : null,
            first.HasWaitSeconds ? first.WaitSeconds : null,
            first.Info is { } info ? new(info.Version, info.Host, info.HasSlots ? info.Slots : null, info.Instance) : null);

    /// <summary>A heartbeat, and its progress.</summary>
    public static (HeartbeatEntry Entry, string? Progress) ToEntry(Wire.Heartbeat heartbeat) =>
        (new(Id(heartbeat.Id), heartbeat.Attempt, heartbeat.HasLeaseSeconds ? heartbeat.LeaseSeconds : null, null, Logs(heartbeat.Logs)),
            heartbeat.HasProgress && RpcValues.Json(heartbeat.Progress, "progress") is not "null" and var progress ? progress : null);

    /// <summary>A report, and its result.</summary>
    public static (ReportEntry Entry, string? Result) ToEntry(Wire.Report report) =>
        (new(Id(report.Id), report.Attempt, RpcValues.Word(report.Outcome), null,
            report.HasError ? report.Error : null, report.HasRetryable ? report.Retryable : null,
            report.HasDelaySeconds ? report.DelaySeconds : null, report.HasRetryAfterSeconds ? report.RetryAfterSeconds : null,
            report.HasErrorType ? report.ErrorType : null, report.HasStack ? report.Stack : null, Logs(report.Logs)),
            report.HasResult ? RpcValues.Json(report.Result, "result") : null);

    /// <summary>Answers in the order of the entries, once the valid ones were applied.</summary>
    public static Wire.Answers ToAnswers(IReadOnlyList<ReadEntry> entries, bool isDraining)
    {
        var answers = new Wire.Answers { Drain = isDraining };
        foreach (var (index, entry) in entries.Index())
        {
            answers.Codes.Add(RpcValues.Value<Wire.AnswerCode>(entry.Code));
            if (entry.Problem is { } problem)
                answers.Errors.Add(index, problem.Message);
        }

        return answers;
    }

    public static Wire.ClaimedTask ToTask(TaskState state)
    {
        var task = WorkerMapping.ToClaimed(state);
        var claimed = new Wire.ClaimedTask
        {
            Id = task.Id.ToString(),
            Attempt = task.Attempt,
            Queue = task.Queue,
            Tier = task.Tier,
            Priority = RpcValues.Value<Wire.Priority>(task.Priority),
            Payload = RpcValues.Json(task.Payload.Text),
            MaxAttempts = task.MaxAttempts,
            LeaseUntil = RpcValues.Time(task.LeaseUntil),
            LeaseSeconds = task.LeaseSeconds,
            CreatedAt = RpcValues.Time(task.CreatedAt),
            ExpiresAt = RpcValues.Time(task.ExpiresAt),
        };
        if (task.Name is { } name)
            claimed.Name = name;
        if (task.OrderingKey is { } key)
            claimed.OrderingKey = key;
        if (task.Traceparent is { } parent)
            claimed.Traceparent = parent;
        if (task.Tracestate is { } trace)
            claimed.Tracestate = trace;
        if (task.Progress is { } progress)
            claimed.Progress = RpcValues.Json(progress.Text);
        claimed.Tags.AddRange(task.Tags);
        return claimed;
    }

    /// <summary>An id that is none counts as missing.</summary>
    private static Guid? Id(string text) => Guid.TryParse(text, out var id) ? id : null;

    private static List<LogBody?>? Logs(RepeatedField<Wire.LogLine> lines) =>
        lines.Count == 0 ? null : [.. lines.Select(l => new LogBody(Time(l.At), RpcValues.Word(l.Level), l.Message))];

    /// <summary>A time as JSON has it.</summary>
    private static JsonElement? Time(Timestamp? at) =>
        RpcValues.Time(at, "logs.at") is { } time ? JsonElement.Parse($"\"{time:O}\"") : null;
}
