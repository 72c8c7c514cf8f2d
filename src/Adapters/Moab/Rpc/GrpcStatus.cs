using System.Globalization;
using Grpc.Core;

namespace TaskQueue.Adapters.Moab.Rpc;

/// <summary>A response of gRPC that consists of its status alone, for requests that do not reach their RPC.</summary>
/// <param name="code">The status.</param>
/// <param name="message">Its text.</param>
/// <param name="details">Its details, a message of google.rpc.</param>
internal sealed class GrpcStatus(StatusCode code, string message, byte[] details) : IResult
{
    public Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.StatusCode = StatusCodes.Status200OK;
        response.ContentType = "application/grpc";
        response.Headers["grpc-status"] = ((int)code).ToString(CultureInfo.InvariantCulture);
        response.Headers["grpc-message"] = GrpcErrors.Escape(message);
        response.Headers[GrpcErrors.DetailsKey] = Convert.ToBase64String(details);
        return Task.CompletedTask;
    }
}
