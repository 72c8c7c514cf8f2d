using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace TaskQueue.Tests.Servers;

/// <summary>A request as the upstream saw it.</summary>
internal sealed record UpstreamRequest(string Target, string Body, IReadOnlyDictionary<string, string> Headers)
{
    public string? Header(string name) => Headers.GetValueOrDefault(name);
}

/// <summary>A small server in the style of OpenAI's, which responds as the test says.</summary>
internal sealed class TestUpstream : IAsyncDisposable
{
    public const string Completion =
        """{"id":"chatcmpl-1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"ok"}}]}""";

    private readonly WebApplication _app;
    private readonly ConcurrentQueue<Func<HttpContext, Task>> _next = new();
    private int _atOnce;

    private TestUpstream(WebApplication app)
    {
        _app = app;
        app.Run(AnswerAsync);
    }

    public Uri Address => new(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());

    public ConcurrentQueue<UpstreamRequest> Requests { get; } = new();

    /// <summary>The highest number of concurrent requests.</summary>
    public int MostAtOnce { get; private set; }

    /// <summary>Requests whose client disconnected before the response.</summary>
    public int Broken { get; private set; }

    /// <summary>The default response.</summary>
    public Func<HttpContext, Task> Usual { get; set; } = context => SayAsync(context, 200, Completion);

    /// <param name="port">0 is any free one.</param>
    public static async Task<TestUpstream> StartAsync(int port = 0)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        var upstream = new TestUpstream(builder.Build());
        await upstream._app.StartAsync();
        return upstream;
    }

    /// <summary>Answers the next requests in turn.</summary>
    public void Next(params Func<HttpContext, Task>[] answers) => Array.ForEach(answers, _next.Enqueue);

    public void Next(int status, string body, params (string Name, string Value)[] headers) => Next(context =>
    {
        foreach (var (name, value) in headers)
            context.Response.Headers[name] = value;
        return SayAsync(context, status, body);
    });

    public static async Task SayAsync(HttpContext context, int status, string body, string type = "application/json")
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = type;
        await context.Response.WriteAsync(body);
    }

    /// <summary>The body of a request that is being answered.</summary>
    public static string BodyOf(HttpContext context) => (string)context.Items[nameof(BodyOf)]!;

    /// <summary>Does not respond until the client disconnects.</summary>
    public static Task HangAsync(HttpContext context) => Task.Delay(Timeout.Infinite, context.RequestAborted);

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        lock (_next)
            MostAtOnce = Math.Max(MostAtOnce, ++_atOnce);
        try
        {
            using var reader = new StreamReader(context.Request.Body, Encoding.UTF8);
            var body = await reader.ReadToEndAsync();
            context.Items[nameof(BodyOf)] = body;
            Requests.Enqueue(new UpstreamRequest($"{context.Request.Method} {context.Request.Path}{context.Request.QueryString}", body,
                context.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase)));
            await (_next.TryDequeue(out var answer) ? answer : Usual)(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            lock (_next)
                Broken++;
        }
        finally
        {
            lock (_next)
                _atOnce--;
        }
    }
}
