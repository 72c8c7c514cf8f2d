using TaskQueue.Engine.Draining;

namespace TaskQueue.Http.Answers;

/// <summary>Cache-Control of a route's responses, overriding the default.</summary>
internal sealed record AnswerCaching(string Rule);

/// <summary>Adds security headers to every response; headers set by a route take precedence.</summary>
internal sealed class SecureHeaders
{
    private readonly RequestDelegate _next;
    private readonly Drain _drain;
    private readonly Func<object, Task> _add;

    public SecureHeaders(RequestDelegate next, Drain drain) => (_next, _drain, _add) = (next, drain, AddAsync);

    public Task InvokeAsync(HttpContext context)
    {
        // Added when the response starts: an exception handler clears headers set earlier.
        context.Response.OnStarting(_add, context);
        return _next(context);
    }

    private Task AddAsync(object state)
    {
        var context = (HttpContext)state;
        var (response, headers) = (context.Response, context.Response.Headers);
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        // Not for a host name shared with other servers of this machine, on other ports and without TLS.
        if (context.Request.IsHttps && !context.Request.Host.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase))
            headers.StrictTransportSecurity = "max-age=31536000";
        if (headers.CacheControl.Count == 0)
            headers.CacheControl = context.GetEndpoint()?.Metadata.GetMetadata<AnswerCaching>()?.Rule ?? "no-store";
        // The server's own pages set their own policy.
        if (headers.ContentSecurityPolicy.Count == 0)
            headers.ContentSecurityPolicy = response.ContentType?.StartsWith("text/html", StringComparison.OrdinalIgnoreCase) == true
                ? "frame-ancestors 'none'" : "default-src 'none'; frame-ancestors 'none'";
        // A kept-alive client would send its next request just as this process closes the connection.
        if (_drain.HasBegun)
            headers.Connection = "close";
        return Task.CompletedTask;
    }
}
