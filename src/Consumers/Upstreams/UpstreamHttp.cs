using System.Net;
using System.Net.Mime;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine;
using ZstdSharp;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>Sends one request to an upstream and reads its answer.</summary>
internal sealed partial class UpstreamHttp(TimeProvider time, ILogger<UpstreamHttp> logger) : IDisposable
{
    /// <summary>Shortest pause that an upstream may ask for.</summary>
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(100);

    private readonly HttpMessageInvoker _http = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseProxy = false,
        UseCookies = false,
        AutomaticDecompression = DecompressionMethods.All, // also adds to Accept-Encoding
        ActivityHeadersPropagator = null, // the task's own trace context is sent instead
        ConnectTimeout = TimeSpan.FromSeconds(10),
        PooledConnectionLifetime = TimeSpan.FromMinutes(5), // picks up DNS changes
    });

    public void Dispose() => _http.Dispose();

    /// <summary>Sends a request.</summary>
    /// <param name="options">The upstream.</param>
    /// <param name="request">The request.</param>
    /// <param name="sink">Receives the events of a stream; null: nobody.</param>
    /// <param name="abort">Aborts the request.</param>
    public async Task<UpstreamAnswer> SendAsync(UpstreamOptions options, OutgoingRequest request, ProgressSink? sink,
        CancellationToken abort)
    {
        var usage = options.OwnerTokensPerMinute is null ? null : new StreamUsage();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(options.TimeoutSeconds), time);
        using var end = abort.UnsafeRegister(l => ((CancellationTokenSource)l!).Cancel(), limit);
        try
        {
            using var message = request.ToMessage();
            using var response = await _http.SendAsync(message, limit.Token);
            await Zstd.DecodeAsync(response, limit.Token);
            if (sink is null || !response.IsSuccessStatusCode
                || response.Content.Headers.ContentType?.MediaType != MediaTypeNames.Text.EventStream)
                return await ReadAsync(response, options, request.IsItem, limit.Token);
            await using var events = await response.Content.ReadAsStreamAsync(limit.Token);
            await sink.PassAsync(events, TimeSpan.FromSeconds(options.TimeoutSeconds), limit, usage, abort);
            return new UpstreamAnswer((int)HttpStatusCode.OK, "{}") { IsTold = true, Tokens = usage?.Tokens(request.PromptTokens) };
        }
        catch (OperationCanceledException) when (abort.IsCancellationRequested && sink is { IsBegun: true })
        {
            return UpstreamAnswer.Error((int)HttpStatusCode.ServiceUnavailable, "the stream was broken off") with
            {
                IsTold = true, Tokens = usage?.Tokens(request.PromptTokens),
            };
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !abort.IsCancellationRequested)
        {
            return UpstreamAnswer.Error((int)HttpStatusCode.GatewayTimeout,
                $"the upstream did not answer within {options.TimeoutSeconds} s") with
            {
                MayRetry = request.IsItem && sink is not { IsBegun: true }, IsSilent = true, IsLate = true,
                Tokens = usage?.Tokens(request.PromptTokens),
            };
        }
        catch (HttpRequestException fault) when (fault.HttpRequestError == HttpRequestError.ConfigurationLimitExceeded)
        {
            return UpstreamAnswer.Error((int)HttpStatusCode.BadGateway,
                $"the answer of the upstream is larger than {options.MaxAnswerBytes} bytes; raise its MaxAnswerBytes");
        }
        catch (Exception fault) when (IsConnection(fault) && !abort.IsCancellationRequested)
        {
            LogNoAnswer(fault, options.Endpoint, options.BaseUrl);
            var isUnsent = IsUnsent(fault);
            return UpstreamAnswer.Error((int)HttpStatusCode.BadGateway,
                isUnsent ? "the upstream could not be reached" : "the connection to the upstream broke before its answer was complete") with
            {
                MayRetry = sink is not { IsBegun: true }, IsNotNow = isUnsent, IsSilent = true,
                Tokens = usage?.Tokens(request.PromptTokens),
            };
        }
    }

    private async Task<UpstreamAnswer> ReadAsync(HttpResponseMessage response, UpstreamOptions options, bool isItem,
        CancellationToken cancellationToken)
    {
        var status = (int)response.StatusCode;
        // What was asked for is decoded already and named no more.
        if (response.Content.Headers.ContentEncoding is { Count: > 0 } encodings && !encodings.All(IsPlain))
            return UpstreamAnswer.Error((int)HttpStatusCode.BadGateway,
                $"the upstream answered {status} with Content-Encoding {string.Join(", ", encodings)}, which was not asked for");
        await response.Content.LoadIntoBufferAsync(options.MaxAnswerBytes, cancellationToken);
        var body = await response.Content.ReadAsByteArrayAsync(cancellationToken);
        var answer = isItem ? UpstreamAnswer.OfItem(status, body) : new UpstreamAnswer(status, UpstreamAnswer.ToJson(body));
        if (status is < 500 and not (408 or 425 or 429))
            return answer;
        return answer with
        {
            MayRetry = status is not (408 or 425) || isItem,
            IsNotNow = UpstreamAnswer.IsNotNowStatus(status),
            RetryAfter = PauseOf(response),
        };
    }

    /// <summary>The pause that the upstream asks for; one that asks for none, whenever it refuses, is not asked without a pause.</summary>
    private TimeSpan? PauseOf(HttpResponseMessage response) =>
        RetryAfter.Of(Header(response, "Retry-After"), time.GetUtcNow(), Header(response, "retry-after-ms")) is { } asked
            ? asked > ShortestPause ? asked : ShortestPause : null;

    /// <summary>Unparsed: the client's parser knows no fractions of a second.</summary>
    private static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.NonValidated.TryGetValues(name, out var values) ? values.FirstOrDefault() : null;

    private static bool IsPlain(string encoding) => encoding.Equals("identity", StringComparison.OrdinalIgnoreCase);

    /// <summary>
    /// Also covers a connect timeout, which the HTTP handler reports as a cancellation, and a body that cannot be decoded.
    /// </summary>
    private static bool IsConnection(Exception fault) =>
        fault is HttpRequestException or IOException or InvalidDataException or ZstdException or OperationCanceledException
        {
            InnerException: TimeoutException,
        };

    /// <summary>
    /// Whether there was no connection. Once a request was sent, the request itself may be why there is no answer.
    /// </summary>
    private static bool IsUnsent(Exception fault) =>
        fault is OperationCanceledException
            or HttpRequestException
            {
                HttpRequestError: HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError
                    or HttpRequestError.SecureConnectionError,
            };

    [LoggerMessage(LogLevel.Warning, "No answer from the upstream of {Endpoint} at {BaseUrl}")]
    private partial void LogNoAnswer(Exception fault, string endpoint, string baseUrl);
}
