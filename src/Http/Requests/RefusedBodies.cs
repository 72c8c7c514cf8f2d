using Microsoft.AspNetCore.Http.Features;

namespace TaskQueue.Http.Requests;

/// <summary>
/// Reads what a client still sends of a body that was refused, so that it gets the response. Kestrel does so for five seconds, and then
/// cuts the connection: a client that sends a large body would see a reset instead of what is wrong with it.
/// </summary>
internal sealed class RefusedBodies(RequestDelegate next)
{
    /// <summary>For a body of this limit at 2 MiB a second.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);

    public async Task InvokeAsync(HttpContext context)
    {
        await next(context);
        if (!MayBeUnread(context))
            return;
        await context.Response.CompleteAsync();
        using var late = new CancellationTokenSource(Longest, context.RequestServices.GetRequiredService<TimeProvider>());
        using var over = CancellationTokenSource.CreateLinkedTokenSource(late.Token, context.RequestAborted);
        try
        {
            await ReadAsync(context, over.Token);
        }
        catch (Exception fault) when (fault is OperationCanceledException or IOException or InvalidOperationException)
        {
            // The client left, is too slow, or sends too much: the connection is closed.
        }
    }

    /// <summary>Not where the response closes the connection, or the client asked before it sends the body.</summary>
    private static bool MayBeUnread(HttpContext context) =>
        context.Response.StatusCode >= StatusCodes.Status400BadRequest
        && HttpProtocol.IsHttp11(context.Request.Protocol)
        && context.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: true }
        && context.Request.Headers.Expect.Count == 0
        && context.Response.Headers.Connection.Count == 0;

    private static async Task ReadAsync(HttpContext context, CancellationToken cancellationToken)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = null; // otherwise a body that exceeds it cannot be read at all
        var reader = context.Request.BodyReader;
        for (long bytes = 0; bytes <= BodyLimits.Largest;)
        {
            var read = await reader.ReadAsync(cancellationToken);
            bytes += read.Buffer.Length;
            reader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted || read.IsCanceled)
                return;
        }
    }
}
