using TaskQueue.Http.Auth;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.Hosting;

/// <summary><c>/</c>: leads browsers to the console, and says what this is to all others, with links.</summary>
internal static class RootPage
{
    private const string Console = "/console/", Reference = "/openapi/v1.json";

    private static readonly string[] Reads = ["GET", "HEAD"];

    private static readonly string Version = typeof(RootPage).Assembly.GetName().Version?.ToString(3) ?? "";

    public static void MapRoot(this WebApplication app, bool hasConsole)
    {
        if (hasConsole)
            app.MapMethods("/", Reads, WithConsole).Open().ExcludeFromDescription();
        else
            app.MapMethods("/", Reads, WithoutConsole).Open().ExcludeFromDescription();
    }

    private static IResult WithConsole(HttpContext context) =>
        IsBrowser(context.Request) ? Results.Redirect($"{context.Request.PathBase}{Console}") : Links(context, Console);

    private static IResult WithoutConsole(HttpContext context) =>
        IsBrowser(context.Request)
            ? Results.Text($"""
                <!doctype html><html lang="en"><head><title>TaskQueue</title></head><body><h1>TaskQueue {Version}</h1>
                <p>A durable task queue. <a href="{context.Request.PathBase.ToUriComponent()}{Reference}">API reference (OpenAPI)</a>.
                Its documentation is the folder <code>docs</code> of its source. The web console is switched off
                (<code>TaskQueue:Console:Enabled</code>).</p></body></html>
                """, "text/html; charset=utf-8")
            : Links(context, console: null);

    private static IResult Links(HttpContext context, string? console) => Results.Json(new
    {
        Service = "TaskQueue, a durable task queue",
        Version,
        Console = console is null ? null : $"{context.Request.PathBase}{console}",
        Api = $"{context.Request.PathBase}{Reference}",
        Try = """POST /tasks {"action": "uppercase", "data": {"text": "hello world"}}""",
        Documentation = "the folder docs of the source: api.md, client.md, worker.md, command-line.md",
    }, JsonStyle.Options);

    private static bool IsBrowser(HttpRequest request) =>
        request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase);
}
