using System.Globalization;
using System.Text;
using Google.Protobuf;
using Grpc.Core;
using TaskQueue.Adapters.Moab.Wire;
using TaskQueue.Http.Errors;

namespace TaskQueue.Adapters.Moab.Rpc;

/// <summary>Errors as statuses of gRPC, with the details that Moab's clients read (moab.md 1).</summary>
internal static class GrpcErrors
{
    /// <summary>Header and trailer of the details.</summary>
    public const string DetailsKey = "grpc-status-details-bin";

    private const string Domain = "evrblk.com", Types = "type.googleapis.com/google.rpc.";

    private static readonly Dictionary<string, StatusCode> Codes = new()
    {
        ["INVALID_ARGUMENT"] = StatusCode.InvalidArgument,
        ["UNAUTHENTICATED"] = StatusCode.Unauthenticated,
        ["PERMISSION_DENIED"] = StatusCode.PermissionDenied,
        ["NOT_FOUND"] = StatusCode.NotFound,
        ["UNIMPLEMENTED"] = StatusCode.Unimplemented,
        ["DEADLINE_EXCEEDED"] = StatusCode.DeadlineExceeded,
        ["ALREADY_EXISTS"] = StatusCode.AlreadyExists,
        ["RESOURCE_EXHAUSTED"] = StatusCode.ResourceExhausted,
        ["UNAVAILABLE"] = StatusCode.Unavailable,
    };

    public static RpcException ToException(ApiError error) =>
        new(new Status(CodeOf(error), error.Message), new Metadata { { DetailsKey, Details(error) } });

    /// <summary>A response that consists of the status only, for requests that do not reach their RPC.</summary>
    public static IResult ToResult(ApiError error) => new GrpcStatus(CodeOf(error), error.Message, Details(error));

    /// <summary>Encodes a text of a status: bytes of its UTF-8 that are not printable ASCII as <c>%XX</c>.</summary>
    internal static string Escape(string text)
    {
        var escaped = new StringBuilder(text.Length);
        foreach (var value in Encoding.UTF8.GetBytes(text))
        {
            if (value is >= (byte)' ' and <= (byte)'~' and not (byte)'%')
                escaped.Append((char)value);
            else
                escaped.Append('%').Append(value.ToString("X2", CultureInfo.InvariantCulture));
        }

        return escaped.ToString();
    }

    /// <summary>A message above the limit is what gRPC calls exhausted.</summary>
    private static string NameOf(ApiError error) =>
        error.Status == StatusCodes.Status413PayloadTooLarge ? "RESOURCE_EXHAUSTED" : MoabEndpoints.CodeOf(error.Status);

    private static StatusCode CodeOf(ApiError error) => Codes.GetValueOrDefault(NameOf(error), StatusCode.Internal);

    private static byte[] Details(ApiError error)
    {
        var info = new WireErrorInfo { Reason = NameOf(error), Domain = Domain };
        foreach (var (key, value) in error.Details ?? new Dictionary<string, string>())
            info.Metadata.Add(key, value);
        var status = new WireStatus { Code = (int)CodeOf(error), Message = error.Message };
        status.Details.Add(new WireDetail { TypeUrl = Types + "ErrorInfo", Value = info.ToByteString() });
        if (error.RetryAfter is { } wait)
        {
            var retry = new WireRetryInfo { RetryDelay = new() { Seconds = (long)Math.Max(1, Math.Ceiling(wait.TotalSeconds)) } };
            status.Details.Add(new WireDetail { TypeUrl = Types + "RetryInfo", Value = retry.ToByteString() });
        }

        return status.ToByteArray();
    }
}
