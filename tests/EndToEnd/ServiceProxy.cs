using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Forwarder;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// Acts like a Kubernetes Service: requests go in turn to the servers that were ready at the last check. It never
/// retries, and remembers failures.
/// </summary>
internal sealed class ServiceProxy : IAsyncDisposable
{
    private static readonly TimeSpan ProbeEvery = TimeSpan.FromMilliseconds(200);

    private readonly WebApplication _app;
    private readonly HttpMessageInvoker _http = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false,
        UseCookies = false, ActivityHeadersPropagator = null });
    private readonly HttpClient _probe = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = TimeSpan.FromSeconds(10) };
    private readonly ConcurrentDictionary<Uri, bool> _servers = new();
    private readonly ConcurrentQueue<string> _failures = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<Task> _probing = new();
    private int _mutex;
    private int _requests;

    private ServiceProxy(WebApplication app)
    {
        _app = app;
        app.Run(ForwardAsync);
    }

    public Uri Address => new(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());

    /// <summary>Requests answered with a server error or an incomplete response.</summary>
    public IReadOnlyCollection<string> Failures => _failures;

    public int Requests => Volatile.Read(ref _requests);

    public static async Task<ServiceProxy> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddHttpForwarder();
        var proxy = new ServiceProxy(builder.Build());
        await proxy._app.StartAsync();
        return proxy;
    }

    /// <summary>Adds a server that is ready.</summary>
    public void Add(Uri server)
    {
        _servers[server] = true;
        _probing.Enqueue(ProbeAsync(server));
    }

    /// <summary>Forgets a server that is gone.</summary>
    public void Remove(Uri server) => _servers.TryRemove(server, out _);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_probing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _app.DisposeAsync();
        _http.Dispose();
        _probe.Dispose();
        _stop.Dispose();
    }

    private async Task ForwardAsync(HttpContext context)
    {
        Interlocked.Increment(ref _requests);
        var what = $"{context.Request.Method} {context.Request.Path}";
        Uri[] ready = [.. _servers.Where(s => s.Value).Select(s => s.Key)];
        if (ready.Length == 0)
        {
            _failures.Enqueue($"{what}: no server is ready");
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            return;
        }

        var server = ready[(uint)Interlocked.Increment(ref _mutex) % (uint)ready.Length];
        var forwarder = context.RequestServices.GetRequiredService<IHttpForwarder>();
        var error = await forwarder.SendAsync(context, server.ToString(), _http, ForwarderRequestConfig.Empty);
        if (context.RequestAborted.IsCancellationRequested)
            return; // the client disconnected
        if (error != ForwarderError.None || context.Response.StatusCode >= 500)
            _failures.Enqueue($"{what} at {server.Port}: {context.Response.StatusCode} {error} "
                + $"{context.Features.Get<IForwarderErrorFeature>()?.Exception?.Message}");
    }

    private async Task ProbeAsync(Uri server)
    {
        using var timer = new PeriodicTimer(ProbeEvery);
        while (_servers.ContainsKey(server) && await timer.WaitForNextTickAsync(_stop.Token))
        {
            if (await IsReadyAsync(server) is { } ready)
                _servers.TryUpdate(server, ready, !ready);
        }
    }

    /// <returns>Null if there was no answer in time: a busy machine is no reason to send no more requests.</returns>
    private async Task<bool?> IsReadyAsync(Uri server)
    {
        try
        {
            using var answer = await _probe.GetAsync(new Uri(server, "/health/ready"), _stop.Token);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }
}
