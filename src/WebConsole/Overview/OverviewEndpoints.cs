using System.Text.Json;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Draining;
using TaskQueue.Engine.Quotas;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.WebConsole.Overview;

/// <summary>The overview of the console, once and live.</summary>
internal static class OverviewEndpoints
{
    private const int MaxQueues = 200;

    public static void MapOverview(this IEndpointRouteBuilder app)
    {
        var console = app.MapGroup("/console").WithTags("console").AnswerFaults(ApiErrors.Problem).Needs(Scope.Read);
        console.MapGet("/overview", GetAsync).Produces<OverviewDetails>()
            .WithSummary("The state of the server and of the queues that the caller may see.");
        console.MapGet("/events", WatchAsync).MayWait().Produces<string>(200, "text/event-stream").ProducesProblem(429)
            .WithSummary("The overview as server-sent events (event: overview), at most one a second.");
    }

    private static async Task<IResult> GetAsync(HttpContext context, OverviewFeed feed) =>
        Results.Json(Filter(await feed.ReadAsync(), context), OverviewJson.Instance.OverviewDetails);

    private static async Task<IResult> WatchAsync(HttpContext context, OverviewFeed feed, StreamQuota quota, OverviewStreams streams,
        Drain drain, TimeProvider time)
    {
        using var opened = streams.Open(context.Access().Tenant);
        using var counted = quota.Open(context.Access().Tenant);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, drain.Begun);
        var response = context.Response;
        (response.ContentType, response.Headers.CacheControl) = ("text/event-stream", "no-cache");
        response.Headers["X-Accel-Buffering"] = "no"; // disables buffering in nginx and similar proxies
        OverviewDetails? last = null;
        try
        {
            while (!stop.IsCancellationRequested)
            {
                // A session ends with its key, also while it watches.
                if (last is not null
                    && (!await context.IsSessionValidAsync() || context.Caller().ExpiresAt <= time.GetUtcNow().UtcDateTime))
                    return Results.Empty;
                var overview = await feed.ReadAsync().WaitAsync(stop.Token);
                if (!ReferenceEquals(overview, last))
                    await WriteAsync(response, FrameOf(last = overview, context, streams), context.RequestAborted); // whole, in a drain too
                await Task.Delay(OverviewFeed.Interval, time, stop.Token);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The viewer has gone, or the process drains: the browser connects to another one.
        }
        catch (Exception) when (response.HasStarted)
        {
            context.Abort(); // for example a database that does not say whether the key is still valid: the browser connects again
        }

        return Results.Empty;
    }

    private static async Task WriteAsync(HttpResponse response, ReadOnlyMemory<byte> frame, CancellationToken cancellationToken)
    {
        await response.Body.WriteAsync(frame, cancellationToken);
        await response.Body.FlushAsync(cancellationToken);
    }

    private static byte[] FrameOf(OverviewDetails overview, HttpContext context, OverviewStreams streams) =>
        context.Caller().IsOperator ? streams.FrameOf(overview, all => Frame(Filter(all, context))) : Frame(Filter(overview, context));

    private static byte[] Frame(OverviewDetails overview) =>
    [
        .. "event: overview\ndata: "u8,
        .. JsonSerializer.SerializeToUtf8Bytes(overview, OverviewJson.Instance.OverviewDetails),
        .. "\n\n"u8,
    ];

    /// <summary>
    /// What a caller sees: an operator everything, others the queues that they administer for all tenants or that their tenant owns. In any
    /// other queue the numbers count the tasks of others.
    /// </summary>
    private static OverviewDetails Filter(OverviewDetails all, HttpContext context)
    {
        var (caller, access) = (context.Caller(), context.Access());
        var seen = caller.IsOperator ? all.Queues
            : [.. all.Queues.Where(q => access.CanChangeQueue(q.Owner, q.Queue))];
        var shown = seen.Count <= MaxQueues ? seen : [.. seen.Take(MaxQueues)];
        return caller.IsOperator
            ? all with { Queues = shown, QueuesLeftOut = seen.Count - shown.Count }
            : new OverviewDetails(
                all.At, all.Health with { Sentence = Plain(all.Health) }, shown, seen.Count - shown.Count, null, null, null, [], []);
    }

    /// <summary>Which part is stuck is for operators.</summary>
    private static string Plain(OverviewHealth health) =>
        health.State switch
        {
            "ok" => health.Sentence,
            "down" => "The server cannot work at the moment.",
            _ => "A part of the server waits.",
        };
}
