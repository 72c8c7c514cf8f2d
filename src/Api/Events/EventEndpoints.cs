using System.Buffers;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Primitives;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Draining;
using TaskQueue.Engine.Events;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Events;

/// <summary>Live task events as server-sent events.</summary>
internal static class EventEndpoints
{
    private const int MaxQueues = 100;
    private const string LastEventId = "Last-Event-ID";
    private static readonly TimeSpan HeartbeatEvery = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan CheckEvery = TimeSpan.FromSeconds(1);

    public static void MapEvents(this WebApplication app) =>
        app.MapGroup("/events").WithTags("events").AnswerFaults(ApiErrors.Problem)
            .MapGet("", ListenAsync).Needs(Scope.Read).MayWait()
                .TakesTexts("queue", "Only tasks of this queue; may be repeated up to 100 times. Default: all.")
            .Produces<string>(200, "text/event-stream").ProducesProblem(400).ProducesProblem(429)
            .WithSummary("Stream live task events as server-sent events: submitted, started, completed, failed, retrying, "
                + "snoozed, cancelled, expired. Resumes after the header Last-Event-ID, else starts now.");

    private static async Task<IResult> ListenAsync(HttpContext context, EventFeed stream, StreamQuota streams, ITaskQueries queries,
        Redaction redaction, Drain drain, TimeProvider time)
    {
        PageQuery.DemandKnown(context.Request, "queue");
        var queues = Queues(context.Request.Query["queue"]);
        foreach (var queue in queues ?? [])
            context.Demand(queue);
        var filter = new EventFilter(queues, context.Access());
        var after = After(context.Request.Headers[LastEventId]);
        using var counted = streams.Open(context.Access().Tenant);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        await using var batches = stream.ListenAsync(filter, after, HeartbeatEvery, stop.Token).GetAsyncEnumerator(stop.Token);
        try
        {
            await batches.MoveNextAsync(); // a failure before the first batch is still answered with problem details
            // Sent during a drain too, so that the client learns the position to resume from.
            await using var end = drain.Begun.UnsafeRegister(s => ((CancellationTokenSource)s!).Cancel(), stop);
            await CopyAsync(batches, context, new EventErrors(queries, redaction, context.Caller()), time);
        }
        catch (OperationCanceledException) when (drain.HasBegun && !context.RequestAborted.IsCancellationRequested)
        {
            // The response ends; the client resumes at another process.
        }
        catch (Exception) when (context.Response.HasStarted)
        {
            context.Abort(); // for example a slow listener: the response ends abnormally, so that the client reconnects
        }

        return Results.Empty;
    }

    private static async Task CopyAsync(IAsyncEnumerator<EventBatch> batches, HttpContext context, EventErrors errors, TimeProvider time)
    {
        var (response, cancellationToken, checkedAt) = (context.Response, context.RequestAborted, time.GetTimestamp());
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-cache";
        response.Headers["X-Accel-Buffering"] = "no"; // disables buffering in nginx and similar proxies
        do
        {
            // A session ends with its key, also while it listens. Without events an empty batch comes every 15 s.
            if (time.GetElapsedTime(checkedAt) >= CheckEvery)
            {
                if (!await context.IsSessionValidAsync())
                    return;
                checkedAt = time.GetTimestamp();
            }

            Write(response.BodyWriter, batches.Current, await errors.OfAsync(batches.Current, cancellationToken));
            await response.BodyWriter.FlushAsync(cancellationToken); // cancelling a flush would abort the connection
        }
        while (await batches.MoveNextAsync());
    }

    /// <summary>Writes the frames of a batch. An empty batch becomes a comment and the current position.</summary>
    private static void Write(IBufferWriter<byte> writer, EventBatch batch, Func<TaskEvent, string?> error)
    {
        foreach (var (e, cursor) in batch.Events)
        {
            Encoding.UTF8.GetBytes($"event: {e.Type.ToString().ToLowerInvariant()}\nid: {cursor}\ndata: ", writer);
            writer.Write(JsonSerializer.SerializeToUtf8Bytes(EventData.Of(e, error(e)), EventJson.Instance.EventData));
            writer.Write("\n\n"u8);
        }

        if (batch.Events.Count == 0)
            Encoding.UTF8.GetBytes($":\nid: {batch.Cursor}\n\n", writer);
    }

    private static HashSet<string>? Queues(StringValues names)
    {
        if (names.Count == 0)
            return null;
        if (names.Count > MaxQueues)
            throw Wrong($"queue may be given {MaxQueues} times");
        return [.. names.Select(n => QueueNames.IsValid(n) ? n! : throw Wrong($"queue must be a name ({QueueNames.Rule})"))];
    }

    private static EventPosition? After(StringValues header) =>
        header.Count == 0 || (header.Count == 1 && header[0] is "") ? null
        : header.Count == 1 && EventCursor.Parse(header[0] ?? "") is { } cursor ? cursor
        : throw Wrong($"{LastEventId} must be the id of an event of this stream");

    private static ApiException Wrong(string message) => new(400, "invalid_request", message);
}
