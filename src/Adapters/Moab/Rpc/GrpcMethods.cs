using Google.Protobuf;
using Grpc.AspNetCore.Server.Model;
using Grpc.Core;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Adapters.Moab.Rpc;

/// <summary>Adds the API's RPCs to a service of gRPC.</summary>
/// <param name="context">The service's methods.</param>
/// <param name="service">Full name of the service.</param>
internal sealed class GrpcMethods<TService>(ServiceMethodProviderContext<TService> context, string service)
    where TService : class
{
    private const string Encoding = "grpc-encoding";

    /// <summary>Makes a response compressed; not sent.</summary>
    private const string ResponseEncoding = "grpc-internal-encoding-request";

    /// <summary>Adds an RPC whose request is a message.</summary>
    public void Add<TRequest, TAnswer, TBody, TReply>(MoabRpc<TBody, TReply> rpc, MessageParser<TRequest> parser,
        Func<TRequest, TBody> read, Func<TReply, TAnswer> write)
        where TRequest : class, IMessage<TRequest>
        where TAnswer : class, IMessage<TAnswer> =>
        Add(rpc, new Marshaller<TRequest>((_, _) => throw new NotSupportedException(), payload => Parse(payload, parser)), read,
            (_, reply) => write(reply));

    /// <summary>Adds an RPC whose request has to be looked at first.</summary>
    /// <param name="rpc">The RPC.</param>
    /// <param name="read">Maps the request.</param>
    /// <param name="write">Maps the response, which may depend on the request.</param>
    public void AddRaw<TAnswer, TBody, TReply>(MoabRpc<TBody, TReply> rpc, Func<byte[], TBody> read, Func<byte[], TReply, TAnswer> write)
        where TAnswer : class, IMessage<TAnswer> =>
        Add(rpc, new Marshaller<byte[]>((_, _) => throw new NotSupportedException(), payload => payload.PayloadAsNewBuffer()), read, write);

    private void Add<TRequest, TAnswer, TBody, TReply>(MoabRpc<TBody, TReply> rpc, Marshaller<TRequest> requests,
        Func<TRequest, TBody> read, Func<TRequest, TReply, TAnswer> write)
        where TRequest : class
        where TAnswer : class, IMessage<TAnswer>
    {
        var answers = new Marshaller<TAnswer>(Write, _ => throw new NotSupportedException());
        var method = new Method<TRequest, TAnswer>(MethodType.Unary, service, rpc.Name, requests, answers);
        List<object> metadata = [new HttpMethodMetadata([HttpMethods.Post]), new NeededScope(rpc.Scope),
            new ApiErrorFormat(GrpcErrors.ToResult), new GrpcRoute()];
        if (rpc.MayWait)
            metadata.Add(new WaitingRoute());
        if (rpc.Action is { } action)
            metadata.Add(new AuditedRoute(action, OnlyWhenNoted: false));
        context.AddUnaryMethod(method, metadata, (_, request, call) => CallAsync(rpc, request, read, write, call));
    }

    private static async Task<TAnswer> CallAsync<TRequest, TAnswer, TBody, TReply>(MoabRpc<TBody, TReply> rpc, TRequest request,
        Func<TRequest, TBody> read, Func<TRequest, TReply, TAnswer> write, ServerCallContext call)
        where TRequest : class
    {
        var http = call.GetHttpContext();
        var aborted = http.RequestAborted;
        // It is decompressed and parsed: what it might have become needs no memory any more.
        http.Memory().SetBody((long)GrpcMessage.PerByte * SizeOf(request));
        http.RequestAborted = call.CancellationToken; // a deadline ends an RPC as a client that goes away does
        try
        {
            var reply = rpc.Action is { } action
                ? await http.AuditAsync(action, () => rpc.Handle(http, Read(request, read)))
                : await rpc.Handle(http, Read(request, read));
            var answer = write(request, reply);
            if (http.Request.Headers[Encoding] == "gzip") // a client that compresses gets a compressed response
                await call.WriteResponseHeadersAsync(new Metadata { { ResponseEncoding, "gzip" } });
            return answer;
        }
        catch (OperationCanceledException) when (call.CancellationToken.IsCancellationRequested)
        {
            throw new RpcException(new Status(StatusCode.Cancelled, "the call was cancelled, or its deadline has passed"));
        }
#pragma warning disable CA1031 // every exception is rendered in the API's format
        catch (Exception fault)
#pragma warning restore CA1031
        {
            throw GrpcErrors.ToException(ApiErrors.Report(http, fault));
        }
        finally
        {
            http.RequestAborted = aborted;
        }
    }

    private static int SizeOf(object request) => request is IMessage message ? message.CalculateSize() : ((byte[])request).Length;

    private static TBody Read<TRequest, TBody>(TRequest request, Func<TRequest, TBody> read)
    {
        try
        {
            return read(request);
        }
        catch (InvalidProtocolBufferException fault) // in a part that is parsed late
        {
            throw NotAMessage(fault);
        }
    }

    private static TRequest Parse<TRequest>(DeserializationContext payload, MessageParser<TRequest> parser)
        where TRequest : IMessage<TRequest>
    {
        try
        {
            return parser.ParseFrom(payload.PayloadAsReadOnlySequence());
        }
        catch (InvalidProtocolBufferException fault)
        {
            throw GrpcErrors.ToException(NotAMessage(fault).Fault);
        }
    }

    private static void Write<TAnswer>(TAnswer answer, SerializationContext payload)
        where TAnswer : IMessage<TAnswer>
    {
        payload.SetPayloadLength(answer.CalculateSize());
        answer.WriteTo(payload.GetBufferWriter());
        payload.Complete();
    }

    private static ApiException NotAMessage(InvalidProtocolBufferException fault) =>
        MoabFields.Wrong($"the request is not a message of this RPC: {fault.Message}");
}
