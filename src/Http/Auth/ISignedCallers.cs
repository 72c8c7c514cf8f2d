namespace TaskQueue.Http.Auth;

/// <summary>Callers that sign a request in the way of one API's clients, instead of presenting a key or a token.</summary>
internal interface ISignedCallers
{
    /// <summary>Whether a request has a signature that can be checked.</summary>
    bool Has(HttpContext context);

    /// <summary>Finds the caller that signed the request; null if the signature is not valid. It may look at the body.</summary>
    /// <exception cref="Errors.ApiException">The request cannot be checked.</exception>
    ValueTask<Caller?> FindAsync(HttpContext context);
}
