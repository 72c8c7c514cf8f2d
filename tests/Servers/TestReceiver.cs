using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace TaskQueue.Tests.Servers;

/// <summary>A request that a callback receiver got.</summary>
internal sealed record Received(string Path, string Body, string? ContentType, IReadOnlyDictionary<string, string> Headers);

/// <summary>An HTTP server on a loopback port that records posted requests.</summary>
internal sealed class TestReceiver : IAsyncDisposable
{
    private readonly WebApplication _app;

    private TestReceiver(WebApplication app, string url)
    {
        _app = app;
        Url = url;
    }

    public string Url { get; }

    public ConcurrentQueue<Received> All { get; } = new();

    /// <summary>Decides the response; default 200.</summary>
    public Func<HttpContext, int, Task>? Answer { get; set; }

    /// <param name="port">0 is any.</param>
    public static async Task<TestReceiver> StartAsync(int port = 0)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, port));
        var app = builder.Build();
        TestReceiver? self = null;
        app.Run(context => self!.ReceiveAsync(context));
        await app.StartAsync();
        return self = new TestReceiver(app, app.Urls.First());
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private async Task ReceiveAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body);
        var body = await reader.ReadToEndAsync();
        All.Enqueue(new Received(context.Request.Path, body, context.Request.ContentType,
            context.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase)));
        if (Answer is { } answer)
            await answer(context, All.Count(r => r.Path == context.Request.Path));
    }
}
