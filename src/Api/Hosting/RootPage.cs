using TaskQueue.Http.Auth;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.Hosting;

/// <summary>
/// <c>/</c>: leads browsers to the console, and says what this is to all others, with links. Every role answers it, so that a command
/// sent to the wrong process can say so.
/// </summary>
internal static class RootPage
{
    /// <summary>Begins what <c>service</c> says.</summary>
    public const string Name = "TaskQueue";

    private const string Console = "/console/", Reference = "/openapi/v1.json";

    private static readonly string[] Reads = ["GET", "HEAD"];

    private static readonly string Version = typeof(RootPage).Assembly.GetName().Version?.ToString(3) ?? "";

    public static void MapRoot(this WebApplication app, Roles roles, bool hasConsole)
    {
        string[] words = [.. RoleList.Words(roles)];
        app.MapMethods("/", Reads, (HttpContext context) => !roles.HasFlag(Roles.Api) ? Results.Json(About(words), JsonStyle.Options)
            : hasConsole ? WithConsole(context, words) : WithoutConsole(context, words)).Open().ExcludeFromDescription();
    }

    private static IResult WithConsole(HttpContext context, string[] roles) =>
        IsBrowser(context.Request) ? Results.Redirect($"{context.Request.PathBase}{Console}")
            : Results.Json(About(roles, context, Console), JsonStyle.Options);

    private static IResult WithoutConsole(HttpContext context, string[] roles) =>
        IsBrowser(context.Request)
            ? Results.Text($"""
                <!doctype html><html lang="en"><head><title>TaskQueue</title></head><body><h1>TaskQueue {Version}</h1>
                <p>A durable task queue. <a href="{context.Request.PathBase.ToUriComponent()}{Reference}">API reference (OpenAPI)</a>.
                Its documentation is the folder <code>docs</code> of its source. The web console is switched off
                (<code>TaskQueue:Console:Enabled</code>).</p></body></html>
                """, "text/html; charset=utf-8")
            : Results.Json(About(roles, context), JsonStyle.Options);

    /// <summary>Describes the process; its links need a process that serves the APIs.</summary>
    private static object About(string[] roles, HttpContext? context = null, string? console = null) => new
    {
        Service = $"{Name}, a durable task queue",
        Version,
        Roles = roles,
        Console = console is null ? null : $"{context?.Request.PathBase}{console}",
        Api = context is null ? null : $"{context.Request.PathBase}{Reference}",
        Try = context is null ? null : """POST /tasks {"action": "uppercase", "data": {"text": "hello world"}}""",
        Documentation = "the folder docs of the source: api.md, client.md, worker.md, command-line.md",
    };

    private static bool IsBrowser(HttpRequest request) =>
        request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase);
}
