namespace TaskQueue.Http.Errors;

/// <summary>Sees every error before it is sent.</summary>
internal interface IApiErrorObserver
{
    /// <summary>Called once for each error answer; must not throw.</summary>
    void OnError(HttpContext context, ApiError error);
}
