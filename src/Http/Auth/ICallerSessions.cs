namespace TaskQueue.Http.Auth;

/// <summary>Sessions of browsers, which stand in for a key in requests without the header Authorization.</summary>
internal interface ICallerSessions
{
    /// <summary>Whether a request has the cookie of a session.</summary>
    bool Has(HttpContext context);

    /// <summary>Finds the caller of the request's session; null if the session is not valid, or no longer.</summary>
    /// <exception cref="Errors.ApiException">The session does not permit this request.</exception>
    ValueTask<Caller?> FindAsync(HttpContext context);

    /// <summary>Checks a request of a server without authentication.</summary>
    /// <exception cref="Errors.ApiException">The console does not permit the request.</exception>
    void Check(HttpContext context);
}
