namespace TaskQueue.Http.Auth;

/// <summary>Ends responses that last with the sessions that opened them.</summary>
internal static class LiveSessions
{
    private const string Bearer = "Bearer ";

    /// <summary>Whether the session that opened the response is still valid; true for callers without a session.</summary>
    /// <exception cref="Errors.ApiException">It cannot be checked now.</exception>
    public static async ValueTask<bool> IsSessionValidAsync(this HttpContext context) =>
        context.Caller().Name is null || context.Request.Headers.Authorization.Count > 0
        || context.RequestServices.GetService<ICallerSessions>() is not { } sessions || !sessions.Has(context)
        || await sessions.FindAsync(context) is not null;

    /// <summary>
    /// Whether the key or token that opened a stream still permits it. A token that has to be checked again is reported as invalid: the
    /// client opens another stream.
    /// </summary>
    /// <param name="context">The request.</param>
    /// <param name="queues">Base names of the queues that it is about.</param>
    public static bool IsKeyValid(this HttpContext context, IEnumerable<string> queues)
    {
        var services = context.RequestServices;
        var keys = services.GetRequiredService<ApiKeyStore>();
        if (!keys.IsOn)
            return true;
        if (context.Request.Headers.Authorization.FirstOrDefault() is not { } header
            || !header.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase))
            return false;
        var token = header[Bearer.Length..];
        var digest = KeyDigest.Of(token);
        var caller = keys.FindAgain(digest) ?? services.GetRequiredService<Tokens>().FindVerified(digest)
            ?? services.GetRequiredService<SubmitterTokens>().Find(token);
        return caller?.Access(context.GetEndpoint()!.Metadata.GetRequiredMetadata<NeededScope>().Scope) is { } access
            && queues.All(access.Allows);
    }
}
