using System.Text;
using System.Text.Json;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Draining;
using TaskQueue.Engine.Ids;
using TaskQueue.Engine.Replies;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Adapters.Bella;

/// <summary>
/// Callers that wait for their task (bella.md 7.3, 7.4). A disconnect or a timeout cancels the task, because no one would receive
/// its result. During shutdown callers keep waiting until the process must end.
/// </summary>
internal sealed class BellaCallers(CompletionRouter router, TaskService taskService, ITaskQueries queries, TimeProvider time, Drain drain)
{
    private static readonly JsonDocumentOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    /// <summary>Registers a caller. Call it before submitting the task, so that no completion is missed.</summary>
    /// <exception cref="ApiException">503: too many waiting callers.</exception>
    public WaitingCaller Open(Guid taskId, NumberedTaskMode mode) =>
        router.Open(taskId, wantsProgress: mode == NumberedTaskMode.Streaming)
            ?? throw new ApiException(503, "too_many_callers", $"{CompletionRouter.MaxCallers} callers are already waiting; try again");

    /// <summary>Waits for the task and answers with the worker's status and body.</summary>
    public async Task<IResult> BlockAsync(WaitingCaller caller, TimeSpan wait, HttpContext context) =>
        ToAnswer(await ReadAsync(await WaitAsync(caller, wait, context.RequestAborted), caller.TaskId, context));

    /// <summary>Reads the completion with its result, once memory for it is reserved.</summary>
    private async Task<TaskCompletion?> ReadAsync(TaskCompletion? end, Guid taskId, HttpContext context)
    {
        if (end is null)
            return null;
        await context.Memory().ReserveAnswerAsync(Math.Max(end.ResultBytes, end.Result?.Length ?? 0), 1, context.RequestAborted);
        return end.ResultBytes == 0 ? end : end with { Result = await queries.ResultAsync(taskId, context.RequestAborted) };
    }

    /// <returns>The completion; null after a timeout.</returns>
    private async Task<TaskCompletion?> WaitAsync(WaitingCaller caller, TimeSpan wait, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, drain.Over);
        try
        {
            return await caller.Ended.WaitAsync(wait, time, stop.Token);
        }
        catch (TimeoutException)
        {
            await taskService.CancelAsync(caller.TaskId, Access.All);
            return null;
        }
        catch (OperationCanceledException)
        {
            await taskService.CancelAsync(caller.TaskId, Access.All);
            throw cancellationToken.IsCancellationRequested ? new OperationCanceledException(cancellationToken)
                : new ApiException(503, "stopping", "the server is stopping; try again");
        }
    }

    /// <summary>Sends progress as server-sent events until the task ends; its outcome is not sent.</summary>
    public async Task StreamAsync(WaitingCaller caller, TimeSpan wait, HttpContext context)
    {
        var response = context.Response;
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-cache";
        response.Headers["X-Accel-Buffering"] = "no"; // disables buffering in nginx and similar proxies
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, drain.Over);
        using var late = new CancellationTokenSource(wait, time);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stop.Token, late.Token);
        try
        {
            await response.Body.FlushAsync(over.Token);
            await CopyAsync(caller, response, over.Token);
            if ((await caller.Ended).State is TaskStates.Cancelled or TaskStates.Expired)
                context.Abort();
        }
        catch (Exception fault) when (fault is OperationCanceledException or TimeoutException or IOException)
        {
            await taskService.CancelAsync(caller.TaskId, Access.All);
            if (!drain.Over.IsCancellationRequested)
                context.Abort(); // signals an incomplete stream
        }
    }

    /// <summary>Writes all available events at once.</summary>
    private static async Task CopyAsync(WaitingCaller caller, HttpResponse response, CancellationToken cancellationToken)
    {
        while (await caller.Progress.WaitToReadAsync(cancellationToken))
        {
            while (caller.Progress.TryRead(out var progress))
                Write(response.BodyWriter, progress);
            await response.BodyWriter.FlushAsync(cancellationToken);
        }
    }

    /// <summary>Writes one frame; text is sent unquoted, one data field per line.</summary>
    private static void Write(System.IO.Pipelines.PipeWriter writer, TaskProgress progress)
    {
        var frame = new StringBuilder();
        if (progress.EventId is { } id)
            frame.Append("id:").Append(OneLine(id)).Append('\n');
        if (progress.EventName is { } name)
            frame.Append("event:").Append(OneLine(name)).Append('\n');
        foreach (var line in TextOf(progress.Data).ReplaceLineEndings("\n").Split('\n'))
            frame.Append("data:").Append(line).Append('\n');
        Encoding.UTF8.GetBytes(frame.Append('\n').ToString(), writer);
    }

    private static string TextOf(string data)
    {
        if (!data.StartsWith('"'))
            return data;
        if (TextRules.Read(JsonElement.Parse(data)) is not { } text)
            return data; // an unpaired surrogate can only be sent in escaped form
        return text.StartsWith("data:", StringComparison.Ordinal) ? text["data:".Length..].Trim() : text;
    }

    /// <summary>Removes characters that would end the field or invalidate an id.</summary>
    private static string OneLine(string text) => string.Concat(text.ReplaceLineEndings(" ").Select(c => char.IsControl(c) ? ' ' : c));

    private static IResult ToAnswer(TaskCompletion? end) =>
        end?.State switch
        {
            TaskStates.Completed => ToAnswer(end.Result),
            TaskStates.Failed => throw new ApiException(500, "task_failed", end.Error ?? "the task failed"),
            _ => Results.StatusCode(StatusCodes.Status408RequestTimeout),
        };

    /// <exception cref="ApiException">502: workers of the bus may send anything.</exception>
    private static string BodyOf(string result)
    {
        try
        {
            using var document = JsonDocument.Parse(result, AnyDepth);
            var root = document.RootElement;
            return root.ValueKind == JsonValueKind.Object && root.TryGetProperty("body", out var inner)
                && inner.ValueKind != JsonValueKind.Null ? inner.GetRawText() : "{}";
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            throw new ApiException(502, "bad_result", "the worker's result is not JSON");
        }
    }

    private static IResult ToAnswer(string? result)
    {
        var body = BodyOf(result ?? "{}");
        var status = CompletionActionsJson.StatusOf(result);
        return status switch
        {
            StatusCodes.Status204NoContent or StatusCodes.Status304NotModified => Results.StatusCode(status), // without a body
            >= 200 and <= 599 => Results.Text(body, "application/json; charset=utf-8", Encoding.UTF8, status),
            _ => throw new ApiException(502, "bad_status", $"the worker answered with invalid status {status}"),
        };
    }
}
