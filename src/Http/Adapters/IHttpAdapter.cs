namespace TaskQueue.Http.Adapters;

/// <summary>An API beside the native one. Register it as a service, and the Api role serves it.</summary>
public interface IHttpAdapter
{
    /// <summary>Maps its routes. Each says who may call it, with <c>Needs</c> or <c>Open</c>.</summary>
    void Map(IEndpointRouteBuilder app);
}
