using System.Text;
using System.Text.Json;
using TaskQueue.Engine;
using TaskQueue.Engine.Failures;
using TaskQueue.Engine.Logs;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.Workers;

/// <summary>Validates what reports say about errors, and what workers logged.</summary>
internal static class ReportTexts
{
    /// <summary>Adds log lines to a command.</summary>
    public static T With<T>(this T command, IReadOnlyList<TaskLogLine>? logs)
        where T : AttemptCommand
    {
        command.Logs = logs;
        return command;
    }

    /// <exception cref="ApiException">400.</exception>
    public static IReadOnlyList<TaskLogLine>? Logs(IReadOnlyList<LogBody?>? logs, TimeProvider time)
    {
        if (logs is not { Count: > 0 })
            return null;
        if (logs.Count > TaskLogRules.MaxReportLines)
            throw Wrong(TaskLogRules.Rule);
        List<TaskLogLine> lines = [.. logs.Select((log, index) => Line(log, index, time))];
        return TaskLogRules.BytesOf(lines) <= TaskLogRules.MaxBytes ? lines : throw Wrong(TaskLogRules.Rule);
    }

    /// <exception cref="ApiException">400.</exception>
    public static string? ErrorType(string? text) =>
        text is null or "" ? null
        : text.Length <= FailureRules.MaxErrorType && TextRules.IsPlain(text) ? text
        : throw Wrong($"error_type must have at most {FailureRules.MaxErrorType} characters, without control characters");

    /// <exception cref="ApiException">400.</exception>
    public static string? Stack(string? text) =>
        text is null or "" ? null
        : Encoding.UTF8.GetByteCount(text) <= FailureRules.MaxStackBytes ? TextRules.Clean(text)
        : throw Wrong($"stack must have at most {FailureRules.MaxStackBytes} bytes");

    private static TaskLogLine Line(LogBody? log, int index, TimeProvider time)
    {
        if (log?.Message is not { Length: > 0 } message)
            throw Wrong($"logs[{index}] needs a message of 1 or more characters");
        var level = TaskLogRules.ParseLevel(log.Level) ?? throw Wrong($"logs[{index}].level must be debug, info, warning or error");
        return new TaskLogLine(Time(log.At, index) is { } at ? Micros.Cut(at) : Micros.Now(time), level, TextRules.Clean(message)!);
    }

    private static DateTime? Time(JsonElement? at, int index) =>
        at is not { ValueKind: not (JsonValueKind.Undefined or JsonValueKind.Null) } given ? null
            : PointInTime.Parse(given) ?? throw Wrong($"logs[{index}].at must be {PointInTime.Rule}");

    private static ApiException Wrong(string message) => new(400, "invalid_request", message);
}
