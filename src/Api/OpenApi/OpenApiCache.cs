using System.Security.Cryptography;
using Microsoft.Net.Http.Headers;

namespace TaskQueue.Api.OpenApi;

/// <summary>
/// Caches the OpenAPI document, which takes a tenth of a second to generate: generated with the first request, then served from memory.
/// </summary>
internal sealed class OpenApiCache : IDisposable
{
    private readonly SemaphoreSlim _mutex = new(1);
    private volatile Document? _document;

    public void Dispose() => _mutex.Dispose();

    /// <summary>Wraps the route that generates the document.</summary>
    public void Serve(EndpointBuilder route)
    {
        var make = route.RequestDelegate!;
        route.RequestDelegate = async context =>
        {
            var document = _document ?? await MakeAsync(make, context);
            await Results.Bytes(document.Content, document.ContentType, entityTag: document.Tag)
                .ExecuteAsync(context); // 304 if the client has it cached
        };
    }

    private async Task<Document> MakeAsync(RequestDelegate make, HttpContext context)
    {
        await _mutex.WaitAsync(context.RequestAborted);
        try
        {
            return _document ??= await MakeAsync(make, context.RequestServices);
        }
        finally
        {
            _mutex.Release();
        }
    }

    /// <summary>Generates the document in a separate context: one client's disconnect must not abort it for the others.</summary>
    private static async Task<Document> MakeAsync(RequestDelegate make, IServiceProvider services)
    {
        using var body = new MemoryStream();
        var context = new DefaultHttpContext { RequestServices = services };
        context.Response.Body = body;
        await make(context);
        await context.Response.BodyWriter.FlushAsync();
        if (context.Response.StatusCode != StatusCodes.Status200OK)
            throw new InvalidOperationException($"The OpenAPI document was answered with {context.Response.StatusCode}.");
        var content = body.ToArray();
        return new Document(content, context.Response.ContentType,
            new EntityTagHeaderValue($"\"{Convert.ToHexStringLower(SHA256.HashData(content)[..16])}\""));
    }

    private sealed record Document(byte[] Content, string? ContentType, EntityTagHeaderValue Tag);
}
