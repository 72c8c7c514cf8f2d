using TaskQueue.Http.Errors;

namespace TaskQueue.Http.Audit;

/// <summary>Audits refused requests and requests of unknown callers.</summary>
internal sealed class RefusalAudit : IApiErrorObserver
{
    /// <inheritdoc />
    public void OnError(HttpContext context, ApiError error)
    {
        var action = error.Status switch
        {
            StatusCodes.Status401Unauthorized => "auth.refused",
            StatusCodes.Status403Forbidden => "access.refused",
            StatusCodes.Status429TooManyRequests => "rate.refused",
            _ => null,
        };
        if (action is null)
            return;
        var pattern = (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText;
        var entry = AuditedRoutes.Entry(context, action,
            $"refused: {error.Code.ToLowerInvariant()}") with { Target = $"{context.Request.Method} {context.Request.Path}" };
        // An unauthenticated caller must not control how rows are distinguished.
        AuditedRoutes.Log(context)
            .RecordRefusal(error.Status == StatusCodes.Status401Unauthorized
                ? entry with { Target = $"{context.Request.Method} {pattern}" } : entry, pattern);
    }
}
