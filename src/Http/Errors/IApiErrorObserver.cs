namespace TaskQueue.Http.Errors;

/// <summary>Observes every error response before it is sent.</summary>
internal interface IApiErrorObserver
{
    /// <summary>Called once per error response; must not throw.</summary>
    void OnError(HttpContext context, ApiError error);
}
