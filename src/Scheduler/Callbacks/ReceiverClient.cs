using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Callbacks;

namespace TaskQueue.Scheduler.Callbacks;

/// <summary>A receiver's response, or why there was none.</summary>
/// <param name="Status">HTTP status; null if there was no response.</param>
/// <param name="Error">Why there was no response, worded to reveal nothing about other networks.</param>
/// <param name="MayRetry">Whether a retry may succeed.</param>
internal sealed record ReceiverAnswer(int? Status, string? Error, bool MayRetry)
{
    public bool IsSuccess => Status is >= 200 and < 300;

    /// <summary>The receiver's Retry-After.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>The beginning of the body, if requested.</summary>
    public string? Body { get; init; }
}

/// <summary>Resolves a host name.</summary>
internal delegate Task<IPAddress[]> ResolveHost(string host, CancellationToken cancellationToken);

/// <summary>
/// Posts signed messages to receivers. Resolves names itself and connects to the checked address for every new connection, which
/// prevents DNS rebinding. Follows no redirects and uses no proxy.
/// </summary>
internal sealed partial class ReceiverClient : IDisposable
{
    /// <summary>Bytes of an unread body drained before its connection is closed rather than reused.</summary>
    private const int MostOfAnswer = 16 * 1024;

    private readonly HttpClient _http;
    private readonly WebhookOptions _options;
    private readonly ResolveHost _resolve;
    private readonly TimeProvider _time;
    private readonly ILogger<ReceiverClient> _logger;

    public ReceiverClient(IOptions<WebhookOptions> options, ResolveHost resolve, TimeProvider time, ILogger<ReceiverClient> logger)
    {
        (_options, _resolve, _time, _logger) = (options.Value, resolve, time, logger);
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            ActivityHeadersPropagator = null,
            ConnectCallback = ConnectAsync,
            MaxConnectionsPerServer = options.Value.Concurrency,
            MaxResponseDrainSize = MostOfAnswer,
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
            PooledConnectionLifetime = TimeSpan.FromMinutes(2),
        };
        _http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
    }

    public void Dispose() => _http.Dispose();

    /// <summary>Posts a message, unless its URL is not allowed.</summary>
    /// <param name="url">The receiver's URL.</param>
    /// <param name="envelope">Event, owner and subject.</param>
    /// <param name="body">JSON text.</param>
    /// <param name="maxBody">Maximum bytes to read of the response body.</param>
    /// <param name="cancellationToken">The process stops.</param>
    /// <exception cref="OperationCanceledException">The process stops; it is unknown whether the message arrived.</exception>
    public async Task<ReceiverAnswer> PostAsync(string url, CallbackEnvelope envelope, string body, int maxBody,
        CancellationToken cancellationToken)
    {
        if (CallbackRules.Check(url, _options) is { } problem)
            return new ReceiverAnswer(null, problem, MayRetry: false);
        using var late = new CancellationTokenSource(TimeSpan.FromSeconds(_options.TimeoutSeconds), _time);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, late.Token);
        try
        {
            using var request = Request(url, envelope, body);
            using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, over.Token);
            var status = (int)response.StatusCode;
            return new ReceiverAnswer(status, null, MayRetry: status is 429 or >= 500)
            {
                RetryAfter = RetryAfter.Of(response.Headers.RetryAfter?.ToString(), _time.GetUtcNow()),
                Body = maxBody > 0 ? await ReadAsync(response, maxBody, over.Token) : null,
            };
        }
        catch (HttpRequestException fault) when (fault.InnerException is ForbiddenAddressException)
        {
            return new ReceiverAnswer(null, "the address is not allowed", MayRetry: false);
        }
        catch (Exception) when (late.IsCancellationRequested)
        {
            return new ReceiverAnswer(null, $"no answer within {_options.TimeoutSeconds} s", MayRetry: true);
        }
#pragma warning disable CA1031 // no failure may cause endless retries
        catch (Exception fault) when (!cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            LogNoAnswer(fault, CallbackOrigin.Of(url));
            return new ReceiverAnswer(null, Explain(fault), MayRetry: true);
        }
    }

    private HttpRequestMessage Request(string url, CallbackEnvelope envelope, string body)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, url)
        {
            Version = HttpVersion.Version11, // HTTP/3 would bypass the address check
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
            Content = new StringContent(body, Encoding.UTF8, new MediaTypeHeaderValue("application/json", "utf-8")),
        };
        foreach (var (name, value) in envelope.Headers(body, _time.GetUtcNow(), _options))
            request.Headers.Add(name, value);
        return request;
    }

    private static async Task<string> ReadAsync(HttpResponseMessage response, int maxBody, CancellationToken cancellationToken)
    {
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        var buffer = new byte[maxBody];
        var read = await stream.ReadAtLeastAsync(buffer, maxBody, throwOnEndOfStream: false, cancellationToken);
        return Encoding.UTF8.GetString(buffer, 0, read);
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var host = context.DnsEndPoint;
        var addresses = await _resolve(host.Host, cancellationToken);
        Demand(host.Host, addresses);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, host.Port, cancellationToken);
            Demand(host.Host, ((IPEndPoint)socket.RemoteEndPoint!).Address);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Refuses a name if any of its addresses is not allowed, because the one used would be arbitrary.</summary>
    private void Demand(string host, params IPAddress[] addresses)
    {
        var forbidden = Array.Find(
            addresses, a => PublicAddresses.IsNeverAReceiver(a) || (!_options.AllowPrivateNetworks && !PublicAddresses.Contain(a)));
        if (forbidden is null)
            return;
        LogForbidden(host, forbidden);
        throw new ForbiddenAddressException();
    }

    /// <summary>Explains a missing response without socket messages, whose addresses must not be revealed to the owner.</summary>
    private static string Explain(Exception fault) => fault switch
    {
        HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError } => "the name of the host was not found",
        HttpRequestException { InnerException: SocketException { SocketErrorCode: SocketError.HostNotFound or SocketError.TryAgain
            or SocketError.NoData } } =>
            "the name of the host was not found",
        HttpRequestException { InnerException: AuthenticationException tls } => $"TLS failed: {tls.Message}",
        HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } => "TLS failed",
        HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError } => "the connection was refused or could not be made",
        HttpRequestException { HttpRequestError: HttpRequestError.InvalidResponse } => "the response is not valid HTTP",
        HttpRequestException or IOException => "the connection broke before the answer",
        _ => "the message could not be sent",
    };

    [LoggerMessage(LogLevel.Warning, "A callback to {Host} is refused: its address {Address} is not allowed")]
    private partial void LogForbidden(string host, IPAddress address);

    [LoggerMessage(LogLevel.Debug, "No answer from {Origin}")]
    private partial void LogNoAnswer(Exception fault, string origin);

    private sealed class ForbiddenAddressException : Exception;
}
