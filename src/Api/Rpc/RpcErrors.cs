using System.Globalization;
using Google.Protobuf;
using Grpc.Core;
using TaskQueue.Adapters.Moab.Rpc;
using TaskQueue.Engine;
using TaskQueue.Http.Errors;
using TaskQueue.Rpc.V1;

namespace TaskQueue.Api.Rpc;

/// <summary>
/// Errors of the native API as statuses of gRPC, with the same texts. Their details have the code and the status of HTTP, and when a retry
/// may succeed.
/// </summary>
internal static class RpcErrors
{
    /// <summary>Most characters of a text.</summary>
    private const int MaxMessage = 300;

    private const string Domain = "taskqueue", Types = "type.googleapis.com/google.rpc.", HttpStatus = "http_status";

    public static RpcException ToException(ApiError error)
    {
        error = Short(error);
        return new(new Status(CodeOf(error), error.Message), new Metadata { { GrpcErrors.DetailsKey, Details(error) } });
    }

    /// <summary>A response that consists of the status only, for requests that do not reach their RPC.</summary>
    public static IResult ToResult(ApiError error)
    {
        error = Short(error);
        return new GrpcStatus(CodeOf(error), error.Message, Details(error));
    }

    private static StatusCode CodeOf(ApiError error) =>
        error.Status switch
        {
            400 => StatusCode.InvalidArgument,
            401 => StatusCode.Unauthenticated,
            403 => StatusCode.PermissionDenied,
            404 => StatusCode.NotFound,
            405 or 501 => StatusCode.Unimplemented,
            408 => StatusCode.DeadlineExceeded,
            409 => error.Code == "id_taken" ? StatusCode.AlreadyExists : StatusCode.FailedPrecondition,
            413 or 429 => StatusCode.ResourceExhausted,
            503 => StatusCode.Unavailable,
            _ => StatusCode.Internal,
        };

    /// <summary>Texts may repeat what a caller sent, which clients do not accept as metadata if it is long.</summary>
    private static ApiError Short(ApiError error) =>
        error.Message.Length <= MaxMessage ? error : error with { Message = $"{TextRules.Cut(error.Message, MaxMessage)}…" };

    private static byte[] Details(ApiError error)
    {
        var info = new ErrorInfo { Reason = error.Code, Domain = Domain };
        info.Metadata.Add(HttpStatus, error.Status.ToString(CultureInfo.InvariantCulture));
        foreach (var (key, value) in error.Details ?? new Dictionary<string, string>())
            info.Metadata.Add(key, value);
        var status = new ErrorStatus { Code = (int)CodeOf(error), Message = error.Message };
        status.Details.Add(new ErrorDetail { TypeUrl = Types + "ErrorInfo", Value = info.ToByteString() });
        if (error.RetryAfter is { } wait)
        {
            var retry = new RetryInfo { RetryDelay = new() { Seconds = (long)Math.Max(1, Math.Ceiling(wait.TotalSeconds)) } };
            status.Details.Add(new ErrorDetail { TypeUrl = Types + "RetryInfo", Value = retry.ToByteString() });
        }

        return status.ToByteArray();
    }
}
