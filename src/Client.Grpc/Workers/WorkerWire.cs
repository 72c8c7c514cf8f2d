using Google.Protobuf;
using Google.Protobuf.Collections;
using Google.Protobuf.WellKnownTypes;
using TaskQueue.Contracts;
using Wire = TaskQueue.Rpc.V1;

namespace TaskQueue.Client;

/// <summary>Maps what workers send and receive to messages of gRPC.</summary>
internal static class WorkerWire
{
    public static Wire.ClaimRequest ToClaim(TaskQueueWorkerOptions options, ClaimInfo info, double waitSeconds)
    {
        var claim = new Wire.ClaimRequest
        {
            Worker = options.Name,
            WaitSeconds = waitSeconds,
            Info = new Wire.WorkerInfo
            {
                Version = info.Version ?? "", Host = info.Host ?? "", Slots = info.Slots, Instance = info.Instance,
            },
        };
        claim.Queues.AddRange(options.Queues);
        if (options.Lease is { } lease)
            claim.LeaseSeconds = lease.TotalSeconds;
        return claim;
    }

    public static ClaimedTask ToTask(Wire.ClaimedTask task) =>
        new(Guid.Parse(task.Id), task.Attempt, task.Queue, task.Tier, task.HasName ? task.Name : null, ToPriority(task.Priority),
            task.Payload.ToStringUtf8(), task.MaxAttempts, task.LeaseSeconds, task.HasTraceparent ? task.Traceparent : null,
            task.HasTracestate ? task.Tracestate : null, [.. task.Tags])
        {
            Progress = task.HasProgress ? task.Progress.ToStringUtf8() : null,
        };

    public static Wire.HeartbeatRequest ToMessage(HeartbeatRequest request)
    {
        var message = new Wire.HeartbeatRequest();
        foreach (var line in request.Tasks)
        {
            var heartbeat = new Wire.Heartbeat { Id = line.Id.ToString(), Attempt = line.Attempt };
            if (line.LeaseSeconds is { } lease)
                heartbeat.LeaseSeconds = lease;
            if (line.Progress is { } progress)
                heartbeat.Progress = ByteString.CopyFromUtf8(progress);
            Add(heartbeat.Logs, line.Logs);
            message.Tasks.Add(heartbeat);
        }

        return message;
    }

    public static Wire.ReportRequest ToMessage(ReportRequest request)
    {
        var message = new Wire.ReportRequest();
        message.Tasks.AddRange(request.Tasks.Select(ToReport));
        return message;
    }

    /// <summary>Answers in the order of the entries that were sent.</summary>
    public static LineAnswers ToAnswers(Wire.Answers answers, IEnumerable<(Guid Id, int Attempt)> sent) =>
        new([.. sent.Zip(answers.Codes).Select((one, index) =>
            new LineAnswer(one.First.Id, one.First.Attempt, Word(one.Second))
            {
                Error = answers.Errors.TryGetValue(index, out var error) ? error : null,
            })], answers.Drain);

    private static Wire.Report ToReport(ReportLine line)
    {
        var report = new Wire.Report
        {
            Id = line.Id.ToString(),
            Attempt = line.Attempt,
            Outcome = line.Outcome switch
            {
                "completed" => Wire.Outcome.Completed,
                "snoozed" => Wire.Outcome.Snoozed,
                _ => Wire.Outcome.Failed,
            },
        };
        if (line.Result is { } result)
            report.Result = ByteString.CopyFromUtf8(result);
        if (line.Error is { } error)
            report.Error = error;
        if (line.Retryable is { } retryable)
            report.Retryable = retryable;
        if (line.DelaySeconds is { } delay)
            report.DelaySeconds = delay;
        if (line.RetryAfterSeconds is { } after)
            report.RetryAfterSeconds = after;
        if (line.ErrorType is { } type)
            report.ErrorType = type;
        if (line.Stack is { } stack)
            report.Stack = stack;
        Add(report.Logs, line.Logs);
        return report;
    }

    private static void Add(RepeatedField<Wire.LogLine> lines, IEnumerable<LogLine>? logs) =>
        lines.AddRange((logs ?? []).Select(l => new Wire.LogLine
        {
            At = Timestamp.FromDateTimeOffset(l.At),
            Level = l.Level switch
            {
                "debug" => Wire.LogLevel.Debug,
                "warning" => Wire.LogLevel.Warning,
                "error" => Wire.LogLevel.Error,
                _ => Wire.LogLevel.Info,
            },
            Message = l.Message,
        }));

    private static Priority? ToPriority(Wire.Priority priority) =>
        priority switch
        {
            Wire.Priority.Low => Priority.Low,
            Wire.Priority.Normal => Priority.Normal,
            Wire.Priority.High => Priority.High,
            Wire.Priority.Critical => Priority.Critical,
            _ => null,
        };

    private static string Word(Wire.AnswerCode code) =>
        code switch
        {
            Wire.AnswerCode.Ok => "ok",
            Wire.AnswerCode.Duplicate => "duplicate",
            Wire.AnswerCode.Finished => "finished",
            Wire.AnswerCode.NotFound => "not_found",
            Wire.AnswerCode.Invalid => "invalid",
            Wire.AnswerCode.StaleAttempt => "stale_attempt",
            _ => "unknown", // of a newer server
        };
}
