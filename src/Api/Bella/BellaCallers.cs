using System.Text;
using System.Text.Json;
using TaskQueue.Api.Http;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Draining;
using TaskQueue.Engine.Replies;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Api.Bella;

/// <summary>
/// Callers that wait for their task (bella.md 7.3, 7.4). One that leaves, and one whose time is over, cancels its task: nobody
/// would hear of its end. A process that stops lets them wait on, until it must end.
/// </summary>
internal sealed class BellaCallers(ReplyDesk desk, TaskVerbs verbs, TimeProvider time, Drain drain)
{
    /// <summary>Registers a caller; before its task is submitted, so that the quickest worker is not missed.</summary>
    /// <exception cref="DoorException">503: too many wait.</exception>
    public WaitingCaller Open(Guid taskId, BellaMode mode) =>
        desk.Open(taskId, wantsProgress: mode == BellaMode.Streaming) ?? throw new DoorException(503, "too_many_callers", $"{ReplyDesk.MaxCallers} callers wait already; try again");

    /// <summary>Answers what the worker completed the task with: its status and its body.</summary>
    public async Task<IResult> BlockAsync(WaitingCaller caller, TimeSpan wait, CancellationToken gone)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(gone, drain.Over);
        try
        {
            return ToAnswer(await caller.Ended.WaitAsync(wait, time, stop.Token));
        }
        catch (TimeoutException)
        {
            await verbs.CancelAsync(caller.TaskId, Access.All);
            return Results.StatusCode(StatusCodes.Status408RequestTimeout);
        }
        catch (OperationCanceledException)
        {
            await verbs.CancelAsync(caller.TaskId, Access.All);
            throw gone.IsCancellationRequested ? new OperationCanceledException(gone) : new DoorException(503, "stopping", "the server stops; try again");
        }
    }

    /// <summary>Sends progress as server-sent events until the task ends; how it ended is not said.</summary>
    public async Task StreamAsync(WaitingCaller caller, TimeSpan wait, HttpContext context)
    {
        var response = context.Response;
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-cache";
        response.Headers["X-Accel-Buffering"] = "no"; // of nginx and its like
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
            await verbs.CancelAsync(caller.TaskId, Access.All);
            if (!drain.Over.IsCancellationRequested)
                context.Abort(); // an end without the mark of an end: the stream is not complete
        }
    }

    /// <summary>As many events in one write as there are.</summary>
    private static async Task CopyAsync(WaitingCaller caller, HttpResponse response, CancellationToken stop)
    {
        while (await caller.Progress.WaitToReadAsync(stop))
        {
            while (caller.Progress.TryRead(out var progress))
                Write(response.BodyWriter, progress);
            await response.BodyWriter.FlushAsync(stop);
        }
    }

    /// <summary>One frame; text goes as it is, each of its lines for itself.</summary>
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
        var text = JsonSerializer.Deserialize(data, BellaJson.Shapes.String) ?? "";
        return text.StartsWith("data:", StringComparison.Ordinal) ? text["data:".Length..].Trim() : text;
    }

    /// <summary>Without what would end the field, or be taken for no id.</summary>
    private static string OneLine(string text) => string.Concat(text.ReplaceLineEndings(" ").Select(c => char.IsControl(c) ? ' ' : c));

    private static IResult ToAnswer(TaskEnd end) =>
        end.State switch
        {
            TaskStates.Completed => ToAnswer(end.Result),
            TaskStates.Failed => throw new DoorException(500, "task_failed", end.Error ?? "the task failed"),
            _ => Results.StatusCode(StatusCodes.Status408RequestTimeout),
        };

    private static IResult ToAnswer(string? result)
    {
        using var document = JsonDocument.Parse(result ?? "{}");
        var root = document.RootElement;
        var body = root.ValueKind == JsonValueKind.Object && root.TryGetProperty("body", out var inner) && inner.ValueKind != JsonValueKind.Null ? inner.GetRawText() : "{}";
        var status = TaskEndings.StatusOf(result);
        return status switch
        {
            StatusCodes.Status204NoContent or StatusCodes.Status304NotModified => Results.StatusCode(status), // which have no body
            >= 200 and <= 599 => Results.Text(body, "application/json; charset=utf-8", Encoding.UTF8, status),
            _ => throw new DoorException(502, "bad_status", $"the worker answered with status {status}, which is none"),
        };
    }
}
