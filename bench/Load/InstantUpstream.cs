using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace TaskQueue.Bench.Load;

/// <summary>An upstream that answers every request immediately with the same body.</summary>
internal sealed class InstantUpstream : IAsyncDisposable
{
    private static readonly byte[] Body =
        ("""{"id":"chatcmpl-1","object":"chat.completion","choices":"""u8
        + """[{"index":0,"message":{"role":"assistant","content":"hello"}}]}"""u8).ToArray();

    private readonly WebApplication _app;
    private int _requests;

    private InstantUpstream(WebApplication app) => _app = app;

    public string Url => _app.Urls.First();

    public int Requests => Volatile.Read(ref _requests);

    public static async Task<InstantUpstream> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
        var self = new InstantUpstream(builder.Build());
        self._app.Run(async context =>
        {
            await context.Request.Body.CopyToAsync(Stream.Null, context.RequestAborted);
            Interlocked.Increment(ref self._requests);
            context.Response.ContentType = "application/json";
            context.Response.ContentLength = Body.Length;
            await context.Response.Body.WriteAsync(Body, context.RequestAborted);
        });
        await self._app.StartAsync();
        return self;
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();
}
