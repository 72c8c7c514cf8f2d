using System.Globalization;
using Google.Protobuf;
using Grpc.Core;
using TaskQueue.Rpc.V1;

namespace TaskQueue.Client;

/// <summary>Turns statuses of gRPC into exceptions of the client.</summary>
internal static class RpcFaults
{
    private const string DetailsKey = "grpc-status-details-bin", HttpStatus = "http_status";

    public static TaskQueueException ToException(RpcException fault, Uri address)
    {
        var (info, retryAfter) = DetailsOf(fault);
        if (info is not null)
            return new TaskQueueException(fault.Status.Detail, StatusOf(info) ?? StatusOf(fault.StatusCode), info.Reason, fault)
            {
                RetryAfter = retryAfter,
            };
        return fault.StatusCode switch
        {
            StatusCode.Unimplemented =>
                new($"{address} has no such service of gRPC: the server is older, or a proxy does not pass it on", 404, inner: fault),
            StatusCode.Unavailable or StatusCode.Internal or StatusCode.Unknown or StatusCode.Aborted or StatusCode.Cancelled
                or StatusCode.DeadlineExceeded => new($"{address} cannot be reached: {fault.Status.Detail}", 0, inner: fault),
            var code => new(fault.Status.Detail, StatusOf(code), inner: fault),
        };
    }

    /// <summary>What the server says beside code and text.</summary>
    private static (ErrorInfo? Info, TimeSpan? RetryAfter) DetailsOf(RpcException fault)
    {
        try
        {
            if (fault.Trailers.GetValueBytes(DetailsKey) is not { } bytes)
                return default;
            ErrorInfo? info = null;
            TimeSpan? retryAfter = null;
            foreach (var detail in ErrorStatus.Parser.ParseFrom(bytes).Details)
            {
                if (detail.TypeUrl.EndsWith("/google.rpc.ErrorInfo", StringComparison.Ordinal))
                    info = ErrorInfo.Parser.ParseFrom(detail.Value);
                else if (detail.TypeUrl.EndsWith("/google.rpc.RetryInfo", StringComparison.Ordinal))
                    retryAfter = RetryInfo.Parser.ParseFrom(detail.Value).RetryDelay?.ToTimeSpan();
            }

            return (info, retryAfter);
        }
        catch (Exception unknown) when (unknown is InvalidProtocolBufferException or InvalidOperationException or FormatException)
        {
            return default; // those of a proxy
        }
    }

    private static int? StatusOf(ErrorInfo info) =>
        info.Metadata.TryGetValue(HttpStatus, out var text)
            && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var status) ? status : null;

    private static int StatusOf(StatusCode code) =>
        code switch
        {
            StatusCode.InvalidArgument or StatusCode.OutOfRange => 400,
            StatusCode.Unauthenticated => 401,
            StatusCode.PermissionDenied => 403,
            StatusCode.NotFound or StatusCode.Unimplemented => 404,
            StatusCode.AlreadyExists or StatusCode.FailedPrecondition => 409,
            StatusCode.ResourceExhausted => 429,
            StatusCode.Unavailable => 503,
            _ => 500,
        };
}
