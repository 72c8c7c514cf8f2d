namespace TaskQueue.Api.Http;

/// <summary>Headers of every answer; what a route says itself goes before them.</summary>
internal static class SecureHeaders
{
    public static Task AddAsync(HttpContext context, RequestDelegate next)
    {
        // When the answer starts: an exception handler clears what was set before it.
        context.Response.OnStarting(static state =>
        {
            Add(((HttpContext)state).Response);
            return Task.CompletedTask;
        }, context);
        return next(context);
    }

    private static void Add(HttpResponse response)
    {
        var headers = response.Headers;
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        if (headers.CacheControl.Count == 0)
            headers.CacheControl = "no-store";
        // A page that this server has says itself what it may load.
        if (headers.ContentSecurityPolicy.Count == 0)
            headers.ContentSecurityPolicy = response.ContentType?.StartsWith("text/html", StringComparison.OrdinalIgnoreCase) == true ? "frame-ancestors 'none'" : "default-src 'none'; frame-ancestors 'none'";
    }
}
