using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Draining;
using TaskQueue.Engine.Replies;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Adapters.OpenAI.Online;

/// <summary>
/// Answers waiting callers with the status and body of their task's result. A disconnect or a timeout cancels the task, because no one
/// would receive its result.
/// </summary>
internal sealed class OnlineAnswers(TaskService tasks, ITaskQueries queries, TimeProvider time, Drain drain)
{
    private const string Message = "message";
    private static readonly JsonDocumentOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    /// <summary>Waits for the end of the task.</summary>
    public async Task<IResult> BlockAsync(WaitingCaller caller, TimeSpan wait, HttpContext context)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, drain.Over);
        TaskCompletion end;
        try
        {
            end = await caller.Ended.WaitAsync(wait, time, stop.Token);
        }
        catch (Exception fault) when (fault is TimeoutException or OperationCanceledException)
        {
            throw await CancelledAsync(caller, fault, context);
        }

        return await AnswerAsync(end, caller.TaskId, context);
    }

    /// <summary>
    /// Passes on the events of the task. Until the first one nothing is sent: a task that fails before is answered with its status.
    /// </summary>
    public async Task<IResult> StreamAsync(WaitingCaller caller, TimeSpan wait, HttpContext context)
    {
        using var late = new CancellationTokenSource(wait, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, drain.Over, late.Token);
        TaskCompletion end;
        try
        {
            if (caller.Progress is var events && await events.WaitToReadAsync(stop.Token) && events.TryRead(out var first)
                && !first.IsRefusal && !await IsRefusalAsync(first, caller, stop.Token))
            {
                Begin(context.Response);
                await CopyAsync(first, caller, context.Response.BodyWriter, stop.Token);
                if ((await caller.Ended).State is TaskStates.Cancelled or TaskStates.Expired)
                    context.Abort(); // signals an incomplete stream
                return Results.Empty;
            }

            end = await caller.Ended.WaitAsync(stop.Token);
        }
        catch (Exception fault) when (fault is TimeoutException or OperationCanceledException or IOException)
        {
            if (!context.Response.HasStarted)
                throw await CancelledAsync(caller, late.IsCancellationRequested ? new TimeoutException() : fault, context);
            await tasks.CancelAsync(caller.TaskId, Access.All);
            if (!drain.Over.IsCancellationRequested)
                context.Abort();
            return Results.Empty;
        }

        return await AnswerAsync(end, caller.TaskId, context);
    }

    private static void Begin(HttpResponse response)
    {
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-cache";
        response.Headers["X-Accel-Buffering"] = "no"; // disables buffering in nginx and similar proxies
    }

    /// <summary>Writes all available events at once.</summary>
    private static async Task CopyAsync(TaskProgress first, WaitingCaller caller, PipeWriter writer, CancellationToken cancellationToken)
    {
        Write(writer, first);
        while (true)
        {
            while (caller.Progress.TryRead(out var progress))
                Write(writer, progress);
            await writer.FlushAsync(cancellationToken);
            if (!await caller.Progress.WaitToReadAsync(cancellationToken))
                return;
        }
    }

    /// <summary>Writes one frame; text, such as <c>[DONE]</c>, is sent unquoted.</summary>
    private static void Write(PipeWriter writer, TaskProgress progress)
    {
        var frame = new StringBuilder();
        if (progress.EventName is { Length: > 0 } name and not Message && !name.Any(char.IsControl))
            frame.Append("event: ").Append(name).Append('\n');
        foreach (var line in TextOf(progress.Data).ReplaceLineEndings("\n").Split('\n'))
            frame.Append("data: ").Append(line).Append('\n');
        Encoding.UTF8.GetBytes(frame.Append('\n').ToString(), writer);
    }

    private static string TextOf(string data) =>
        data.StartsWith('"') && TextRules.Read(JsonElement.Parse(data)) is { } text ? text : data;

    /// <summary>
    /// Whether the first event is the error of a worker whose result has its status, not one in the stream of an upstream that has
    /// accepted the request.
    /// </summary>
    private static async Task<bool> IsRefusalAsync(TaskProgress first, WaitingCaller caller, CancellationToken cancellationToken) =>
        IsError(first.Data) && !await caller.Progress.WaitToReadAsync(cancellationToken)
            && await caller.Ended.WaitAsync(cancellationToken) is var end
            && (end.State != TaskStates.Completed || CompletionActionsJson.StatusOf(end.Result) is < 200 or > 299);

    private static bool IsError(string data)
    {
        if (!data.StartsWith('{'))
            return false;
        using var document = JsonDocument.Parse(data, AnyDepth);
        return document.RootElement.TryGetProperty("error", out var error) && error.ValueKind == JsonValueKind.Object;
    }

    private async Task<Exception> CancelledAsync(WaitingCaller caller, Exception fault, HttpContext context)
    {
        await tasks.CancelAsync(caller.TaskId, Access.All);
        return context.RequestAborted.IsCancellationRequested ? new OperationCanceledException(context.RequestAborted)
            : fault is TimeoutException ? new ApiException(504, "timeout", "the request was not answered in time; it was cancelled")
            : new ApiException(503, "stopping", "the server is stopping; try again");
    }

    private async Task<IResult> AnswerAsync(TaskCompletion end, Guid taskId, HttpContext context)
    {
        await context.Memory().ReserveAnswerAsync(Math.Max(end.ResultBytes, end.Result?.Length ?? 0), 1, context.RequestAborted);
        return end.State switch
        {
            TaskStates.Completed => ToAnswer(context.Response,
                end.ResultBytes == 0 ? end.Result : await queries.ResultAsync(taskId, context.RequestAborted)),
            TaskStates.Failed => throw new ApiException(500, "task_failed", end.Error ?? "the task failed"),
            _ => throw new ApiException(503, "cancelled", "the request was cancelled before it was answered"),
        };
    }

    /// <exception cref="ApiException">408, or 502: workers may complete with anything.</exception>
    private static IResult ToAnswer(HttpResponse response, string? result)
    {
        var status = CompletionActionsJson.StatusOf(result);
        if (status is < 200 or > 599)
            throw new ApiException(502, "bad_status", $"the worker answered with the status {status}");
        // Some clients try again only if they are told when. What the upstream asked for is waited for here, at its pace.
        if (status is StatusCodes.Status429TooManyRequests or StatusCodes.Status503ServiceUnavailable)
            response.Headers.RetryAfter = "1";
        if (status is StatusCodes.Status204NoContent or StatusCodes.Status304NotModified)
            return Results.StatusCode(status);
        return Results.Text(BodyOf(result ?? "{}", status), "application/json; charset=utf-8", Encoding.UTF8, status);
    }

    /// <summary>
    /// The body of a worker's answer; a worker that does not know the format of answers returns the body alone. The engine ends the task
    /// of a worker that was lost with a status alone (bella.md 6).
    /// </summary>
    /// <exception cref="ApiException">408 or 502.</exception>
    private static string BodyOf(string result, int status)
    {
        try
        {
            using var document = JsonDocument.Parse(result, AnyDepth);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
                return root.GetRawText();
            if (root.TryGetProperty("body", out var body) && body.ValueKind != JsonValueKind.Null)
                return body.GetRawText();
            if (!root.TryGetProperty("status_code", out _))
                return root.GetRawText();
            return status == StatusCodes.Status408RequestTimeout
                ? throw new ApiException(status, "request_timeout", "the worker did not answer in time; try again") : "{}";
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            throw new ApiException(502, "bad_result", "the worker's result is not JSON");
        }
    }
}
