namespace TaskQueue.Http.Auth;

/// <summary>Ends responses that last with the sessions that opened them.</summary>
internal static class LiveSessions
{
    /// <summary>Whether the session that opened the response is still valid; true for callers without a session.</summary>
    /// <exception cref="Errors.ApiException">It cannot be checked now.</exception>
    public static async ValueTask<bool> IsSessionValidAsync(this HttpContext context) =>
        context.Caller().Name is null || context.Request.Headers.Authorization.Count > 0
        || context.RequestServices.GetService<ICallerSessions>() is not { } sessions || !sessions.Has(context)
        || await sessions.FindAsync(context) is not null;
}
