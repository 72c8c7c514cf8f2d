using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Callbacks;

namespace TaskQueue.Scheduler.Callbacks;

/// <summary>How a try ended.</summary>
/// <param name="Status">Status of the answer, or null where there was none.</param>
/// <param name="Error">Why there was none, or none is sought.</param>
/// <param name="Again">Whether another try may help.</param>
/// <param name="RetryAfter">How long the receiver wants to be left alone.</param>
internal sealed record CallbackTry(int? Status, string? Error, bool Again, TimeSpan? RetryAfter = null)
{
    public bool IsDelivered => Status is >= 200 and < 300;
}

/// <summary>Finds the addresses of a name.</summary>
internal delegate Task<IPAddress[]> ResolveHost(string host, CancellationToken stop);

/// <summary>
/// Posts callbacks. Names are looked up here and connected to by the very address that was checked, so that none can point
/// somewhere else a moment later; redirects are not followed and proxies not used.
/// </summary>
internal sealed class CallbackSender : IDisposable
{
    /// <summary>How much of an answer's body is read before its connection is closed instead of kept. Nobody looks at it.</summary>
    private const int MostOfAnswer = 16 * 1024;

    private readonly HttpClient _http;
    private readonly WebhookOptions _options;
    private readonly ResolveHost _resolve;
    private readonly TimeProvider _time;

    public CallbackSender(IOptions<WebhookOptions> options, ResolveHost resolve, TimeProvider time)
    {
        (_options, _resolve, _time) = (options.Value, resolve, time);
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            ConnectCallback = ConnectAsync,
            MaxResponseDrainSize = MostOfAnswer,
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
            PooledConnectionLifetime = TimeSpan.FromMinutes(2),
        };
        _http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
    }

    public void Dispose() => _http.Dispose();

    /// <exception cref="OperationCanceledException">The process stops; what became of the try is not known.</exception>
    public async Task<CallbackTry> SendAsync(Callback callback, CancellationToken stop)
    {
        if (CallbackRules.Check(callback.Url, _options) is { } problem)
            return new CallbackTry(null, problem, Again: false);
        using var late = new CancellationTokenSource(TimeSpan.FromSeconds(_options.TimeoutSeconds), _time);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stop, late.Token);
        try
        {
            using var request = Request(callback);
            using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, over.Token);
            var status = (int)answer.StatusCode;
            return new CallbackTry(status, null, Again: status is 429 or >= 500, RetryAfter.Of(answer, _time.GetUtcNow()));
        }
        catch (HttpRequestException fault) when (fault.InnerException is ForbiddenAddressException forbidden)
        {
            return new CallbackTry(null, forbidden.Message, Again: false);
        }
        catch (Exception) when (late.IsCancellationRequested)
        {
            return new CallbackTry(null, $"no answer within {_options.TimeoutSeconds} s", Again: true);
        }
#pragma warning disable CA1031 // whatever it is, it must not be tried for ever
        catch (Exception fault) when (!stop.IsCancellationRequested)
#pragma warning restore CA1031
        {
            return new CallbackTry(null, fault.Message, Again: true);
        }
    }

    private HttpRequestMessage Request(Callback callback)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, callback.Url)
        {
            Content = new StringContent(callback.Body, Encoding.UTF8, new MediaTypeHeaderValue("application/json", "utf-8")),
        };
        var (id, at) = ($"cb_{callback.Id}", _time.GetUtcNow());
        request.Headers.Add("webhook-id", id);
        request.Headers.Add("webhook-timestamp", at.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture));
        if (_options.SigningKeys.Count > 0)
            request.Headers.Add("webhook-signature", CallbackSignature.Of(id, at, callback.Body, _options.Secrets()));
        return request;
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken stop)
    {
        var host = context.DnsEndPoint;
        var addresses = await _resolve(host.Host, stop);
        if (!_options.AllowPrivateNetworks && addresses.FirstOrDefault(a => !PublicAddresses.Contain(a)) is { } forbidden)
            throw new ForbiddenAddressException($"{host.Host} has the address {forbidden}, which is not public");
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, host.Port, stop);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private sealed class ForbiddenAddressException(string message) : Exception(message);
}
