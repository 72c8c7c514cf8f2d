using System.Text;
using System.Text.RegularExpressions;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Http.Auth;

namespace TaskQueue.Api.Operations;

/// <summary>
/// Filters a scrape by what its caller may read: queues of other tenants are removed, and process-wide metrics are only for callers
/// that may read every queue.
/// </summary>
internal sealed partial class MetricsFilter(RequestDelegate next, QueueCatalog queues)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var access = context.Access();
        if (access.SeesAllTenants)
        {
            await next(context);
            return;
        }

        var owners = (await queues.AllAsync()).ToDictionary(q => q.Key, q => q.Value.Owner);
        var body = context.Response.Body;
        using var whole = new MemoryStream();
        context.Response.Body = whole;
        try
        {
            await next(context);
        }
        finally
        {
            context.Response.Body = body;
        }

        var seesProcess = access.Own.IsAll && !context.Caller().IsConfined;
        var shown = new StringBuilder();
        foreach (var line in Encoding.UTF8.GetString(whole.GetBuffer(), 0, (int)whole.Length).AsSpan().EnumerateLines())
        {
            if (line.StartsWith("#") || IsShown(QueueLabel().Match(line.ToString())))
                shown.Append(line).Append('\n');
        }

        context.Response.ContentLength = null;
        await context.Response.WriteAsync(shown.ToString(), context.RequestAborted);

        bool IsShown(Match label) =>
            label.Success
                ? Sees(access, context.Caller(), label.Groups["queue"].Value, owners.GetValueOrDefault(label.Groups["queue"].Value))
                : seesProcess;
    }

    internal static bool Sees(Access access, Caller caller, string queue, string? owner) =>
        Callers.SeesCounts(access, caller, queue, owner);

    [GeneratedRegex("[{,]queue=\"(?<queue>[^\"]*)\"", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex QueueLabel();
}
