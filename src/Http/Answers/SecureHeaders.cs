using TaskQueue.Engine.Draining;

namespace TaskQueue.Http.Answers;

/// <summary>Cache-Control of the answers of a route, where it is not the one of all.</summary>
internal sealed record AnswerCaching(string Rule);

/// <summary>Headers of every answer; what a route says itself goes before them.</summary>
internal sealed class SecureHeaders
{
    private readonly RequestDelegate _next;
    private readonly Drain _drain;
    private readonly Func<object, Task> _add;

    public SecureHeaders(RequestDelegate next, Drain drain) => (_next, _drain, _add) = (next, drain, AddAsync);

    public Task InvokeAsync(HttpContext context)
    {
        // When the answer starts: an exception handler clears what was set before it.
        context.Response.OnStarting(_add, context);
        return _next(context);
    }

    private Task AddAsync(object state)
    {
        var context = (HttpContext)state;
        var (response, headers) = (context.Response, context.Response.Headers);
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        // Not for a name that other servers of the machine share, on other ports and without TLS.
        if (context.Request.IsHttps && !context.Request.Host.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase))
            headers.StrictTransportSecurity = "max-age=31536000";
        if (headers.CacheControl.Count == 0)
            headers.CacheControl = context.GetEndpoint()?.Metadata.GetMetadata<AnswerCaching>()?.Rule ?? "no-store";
        // A page that this server has says itself what it may load.
        if (headers.ContentSecurityPolicy.Count == 0)
            headers.ContentSecurityPolicy = response.ContentType?.StartsWith("text/html", StringComparison.OrdinalIgnoreCase) == true
                ? "frame-ancestors 'none'" : "default-src 'none'; frame-ancestors 'none'";
        // Who keeps a connection would send its next request just when this process closes it.
        if (_drain.HasBegun)
            headers.Connection = "close";
        return Task.CompletedTask;
    }
}
