namespace TaskQueue.Http.Adapters;

/// <summary>An API in addition to the native one. The Api role serves every registered adapter.</summary>
public interface IHttpAdapter
{
    /// <summary>Maps the adapter's routes. Each route declares its access with <c>Needs</c> or <c>Open</c>.</summary>
    void Map(IEndpointRouteBuilder app);
}
