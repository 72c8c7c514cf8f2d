using System.Net;
using System.Net.Http.Headers;
using System.Net.Mime;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Replies;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>Sends tasks to their upstreams, retries where useful, and turns responses into results.</summary>
internal sealed partial class UpstreamCalls(
    IReplySender replies, IOptions<EngineOptions> engine, TimeProvider time, ILogger<UpstreamCalls> logger) : IDisposable
{
    private readonly HttpMessageInvoker _http = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseProxy = false,
        UseCookies = false,
        ActivityHeadersPropagator = null, // the task's own trace context is sent instead
        ConnectTimeout = TimeSpan.FromSeconds(10),
        PooledConnectionLifetime = TimeSpan.FromMinutes(5), // picks up DNS changes
    });

    public void Dispose() => _http.Dispose();

    /// <summary>Runs a task to its result.</summary>
    /// <param name="upstream">The upstream.</param>
    /// <param name="task">The task.</param>
    /// <param name="cancellationToken">Stops starting new requests.</param>
    /// <param name="abort">Aborts the request in flight.</param>
    /// <exception cref="OperationCanceledException">There is no result: another worker must run the task.</exception>
    public async Task<string> RunAsync(Upstream upstream, TaskState task, CancellationToken cancellationToken, CancellationToken abort)
    {
        var ending = CompletionActionsJson.Of(task);
        var headers = TaskHeaders.Of(task);
        var sink = headers.IsStreaming && task.Tier == 0 && ending?.ReplyTo is { } replyTo
            ? new ProgressSink(replies, replyTo, task.CorrelationId) : null;
        var requestId = UpstreamAnswer.RequestId(task, ending?.LeaseExpiryResult);
        var answer = upstream.UrlOf(task.Name) is { } url
            ? await AskAsync(upstream,
                new Request(url, Encoding.UTF8.GetBytes(task.Payload), requestId, upstream.Options.ApiKey, TaskTrace.Onward(task.Headers)),
                sink, cancellationToken, abort)
            : UpstreamAnswer.Error((int)HttpStatusCode.NotFound, $"no upstream of this queue serves {task.Name}");
        if (sink is not null && !answer.IsTold)
            await sink.TellAsync(answer.Body, abort);
        return answer.ToResult(requestId);
    }

    private async Task<UpstreamAnswer> AskAsync(Upstream upstream, Request request, ProgressSink? sink,
        CancellationToken cancellationToken, CancellationToken abort)
    {
        using var noMore = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, abort);
        for (var retries = 0; ; retries++)
        {
            noMore.Token.ThrowIfCancellationRequested();
            await upstream.ReadyAsync(noMore.Token);
            var answer = await TryAsync(upstream.Options, request, sink, abort);
            if (answer.RetryAfter is { } pause)
                upstream.Pause(pause);
            if (!answer.MayRetry || retries == upstream.Options.MaxRetries)
                return answer;
            LogRetry(request.RequestId, upstream.Options.Endpoint, answer.Status, retries + 1, upstream.Options.MaxRetries);
            // Adds jitter after a pause too.
#pragma warning disable CA5394 // jitter is not a secret
            var wait = answer.RetryAfter is null ? RetryWaits.Backoff(retries, Random.Shared.NextDouble())
                : Random.Shared.NextDouble() * TimeSpan.FromMilliseconds(250);
#pragma warning restore CA5394
            await Task.Delay(wait + (answer.RetryAfter ?? TimeSpan.Zero), time, noMore.Token);
        }
    }

    private async Task<UpstreamAnswer> TryAsync(UpstreamOptions options, Request request, ProgressSink? sink, CancellationToken abort)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(options.TimeoutSeconds), time);
        using var end = abort.UnsafeRegister(l => ((CancellationTokenSource)l!).Cancel(), limit);
        try
        {
            using var message = request.ToMessage();
            using var response = await _http.SendAsync(message, limit.Token);
            if (sink is null || !response.IsSuccessStatusCode
                || response.Content.Headers.ContentType?.MediaType != MediaTypeNames.Text.EventStream)
                return await ReadAsync(response, limit.Token);
            await using var events = await response.Content.ReadAsStreamAsync(limit.Token);
            await sink.PassAsync(events, TimeSpan.FromSeconds(options.TimeoutSeconds), limit, abort);
            return new UpstreamAnswer((int)HttpStatusCode.OK, "{}") { IsTold = true };
        }
        catch (OperationCanceledException) when (abort.IsCancellationRequested && sink is { IsBegun: true })
        {
            return UpstreamAnswer.Error((int)HttpStatusCode.ServiceUnavailable, "the stream was broken off") with { IsTold = true };
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !abort.IsCancellationRequested)
        {
            return UpstreamAnswer.Error((int)HttpStatusCode.GatewayTimeout,
                $"the upstream did not answer within {options.TimeoutSeconds} s");
        }
        catch (HttpRequestException fault) when (fault.HttpRequestError == HttpRequestError.ConfigurationLimitExceeded)
        {
            return UpstreamAnswer.Error((int)HttpStatusCode.BadGateway,
                $"the answer of the upstream is larger than {engine.Value.MaxPayloadBytes} bytes");
        }
        catch (Exception fault) when (IsConnection(fault) && !abort.IsCancellationRequested)
        {
            LogNoAnswer(fault, options.Endpoint, options.BaseUrl);
            return UpstreamAnswer.Error((int)HttpStatusCode.BadGateway,
                "the upstream could not be reached, or the connection broke") with { MayRetry = sink is not { IsBegun: true } };
        }
    }

    private async Task<UpstreamAnswer> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        await response.Content.LoadIntoBufferAsync(engine.Value.MaxPayloadBytes, cancellationToken);
        var mayRetry = response.StatusCode == HttpStatusCode.TooManyRequests || (int)response.StatusCode >= 500;
        return new UpstreamAnswer((int)response.StatusCode,
            UpstreamAnswer.ToJson(await response.Content.ReadAsByteArrayAsync(cancellationToken)))
        {
            MayRetry = mayRetry,
            RetryAfter = mayRetry ? RetryAfter.Of(response.Headers.RetryAfter?.ToString(), time.GetUtcNow()) : null,
        };
    }

    /// <summary>Also covers a connect timeout, which the HTTP handler reports as a cancellation.</summary>
    private static bool IsConnection(Exception fault) =>
        fault is HttpRequestException or IOException or OperationCanceledException { InnerException: TimeoutException };

    [LoggerMessage(LogLevel.Information, "Task {RequestId}: {Endpoint} answered {Status}; retry {Retry} of {MaxRetries} follows")]
    private partial void LogRetry(string requestId, string endpoint, int status, int retry, int maxRetries);

    [LoggerMessage(LogLevel.Warning, "No answer from the upstream of {Endpoint} at {BaseUrl}")]
    private partial void LogNoAnswer(Exception fault, string endpoint, string baseUrl);

    private sealed record Request(Uri Url, byte[] Payload, string RequestId, string? Key, TraceHeaders? Trace)
    {
        public HttpRequestMessage ToMessage()
        {
            var message = new HttpRequestMessage(HttpMethod.Post, Url) { Content = new ByteArrayContent(Payload) };
            message.Content.Headers.ContentType = new MediaTypeHeaderValue(MediaTypeNames.Application.Json);
            message.Headers.Add("X-Request-Id", RequestId);
            message.Headers.Add("Idempotency-Key", RequestId);
            if (Trace is not null)
                message.Headers.Add("traceparent", Trace.Parent);
            if (Trace?.State is { Length: > 0 } state && TraceHeaders.IsState(state))
                message.Headers.Add("tracestate", state);
            if (Key is not null)
                message.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Key);
            return message;
        }
    }
}

/// <summary>The task headers, set by the callers' APIs, that are relevant to an upstream.</summary>
internal sealed record TaskHeaders(bool IsStreaming)
{
    public static TaskHeaders Of(TaskState task)
    {
        try
        {
            using var headers = JsonDocument.Parse(task.Headers ?? "{}");
            return new(TextRules.Read(headers.RootElement, "response_mode") == "streaming");
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            return new(false); // submitted by a bus producer
        }
    }
}
