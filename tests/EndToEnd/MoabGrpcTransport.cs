using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Grpc.Core;
using Grpc.Net.Client;
using TaskQueue.Adapters.Moab.Rpc;
using TaskQueue.Adapters.Moab.Wire;
using V0First = TaskQueue.Moab.V0First;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Calls a generated client of gRPC with requests in JSON, and returns its responses and errors as the API of JSON does.</summary>
internal sealed class MoabGrpcTransport : IDisposable
{
    private static readonly Dictionary<string, int> Statuses = new()
    {
        ["INVALID_ARGUMENT"] = 400, ["UNAUTHENTICATED"] = 401, ["PERMISSION_DENIED"] = 403, ["NOT_FOUND"] = 404, ["ALREADY_EXISTS"] = 409,
        ["RESOURCE_EXHAUSTED"] = 429, ["UNIMPLEMENTED"] = 501, ["UNAVAILABLE"] = 503,
    };

    private readonly GrpcChannel _channel;
    private readonly CallOptions _options;
    private readonly V0First.MoabApi.MoabApiClient _client;

    /// <param name="address">The server.</param>
    /// <param name="key">The caller's key; null: none.</param>
    public MoabGrpcTransport(Uri address, string? key = null)
    {
        _options = key is null ? default : new CallOptions(new Metadata { { "authorization", $"Bearer {key}" } });
        _channel = GrpcChannel.ForAddress(address, new GrpcChannelOptions { MaxReceiveMessageSize = null });
        _client = new V0First.MoabApi.MoabApiClient(_channel);
    }

    public void Dispose() => _channel.Dispose();

    /// <summary>Calls an RPC with JSON text; what no message can express is refused as the server refuses it in JSON.</summary>
    public async Task<Reply> CallAsync(string rpc, string body)
    {
        IMessage request;
        try
        {
            request = MoabGrpcMessages.Read(rpc, body);
        }
        catch (Exception fault) when (fault is JsonException or InvalidProtocolBufferException or FormatException
            or InvalidOperationException or OverflowException)
        {
            return Error("INVALID_ARGUMENT", fault.Message, new Dictionary<string, string>());
        }

        try
        {
            var method = typeof(V0First.MoabApi.MoabApiClient).GetMethod($"{rpc}Async", [request.GetType(), typeof(CallOptions)])!;
            var call = method.Invoke(_client, [request, _options])!;
            var response = (Task)call.GetType().GetProperty("ResponseAsync")!.GetValue(call)!;
            await response;
            var message = (IMessage)response.GetType().GetProperty("Result")!.GetValue(response)!;
            return new Reply(200, "application/json", MoabGrpcMessages.Write(message));
        }
        catch (RpcException fault)
        {
            var info = InfoOf(fault);
            return Error(info.Reason, fault.Status.Detail, info.Metadata);
        }
    }

    /// <summary>The details of an error that Moab's clients read.</summary>
    internal static WireErrorInfo InfoOf(RpcException fault) =>
        WireErrorInfo.Parser.ParseFrom(DetailsOf(fault).Single(d => d.TypeUrl == "type.googleapis.com/google.rpc.ErrorInfo").Value);

    /// <summary>Seconds after which a call may be repeated; null if an error does not tell.</summary>
    internal static long? RetryOf(RpcException fault) =>
        DetailsOf(fault).SingleOrDefault(d => d.TypeUrl == "type.googleapis.com/google.rpc.RetryInfo") is { } retry
            ? WireRetryInfo.Parser.ParseFrom(retry.Value).RetryDelay.Seconds : null;

    private static RepeatedField<WireDetail> DetailsOf(RpcException fault)
    {
        var details = fault.Trailers.GetValueBytes(GrpcErrors.DetailsKey)
            ?? throw new InvalidOperationException($"{fault.Status} has no details", fault);
        var status = WireStatus.Parser.ParseFrom(details);
        if (status.Code != (int)fault.StatusCode || status.Message != fault.Status.Detail)
            throw new InvalidOperationException($"the details of {fault.Status} are of {status}");
        return status.Details;
    }

    private static Reply Error(string code, string message, IDictionary<string, string> details) =>
        new(Statuses.GetValueOrDefault(code, 500), "application/json", JsonSerializer.Serialize(new { code, message, details }));
}
