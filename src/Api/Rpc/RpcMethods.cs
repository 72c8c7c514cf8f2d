using Google.Protobuf;
using Grpc.AspNetCore.Server.Model;
using Grpc.Core;
using TaskQueue.Adapters.Moab.Rpc;
using TaskQueue.Engine.Auth;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Rpc;

/// <summary>What the middleware needs to know of an RPC.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Scope">Required scope.</param>
/// <param name="MaxBytes">Largest message.</param>
/// <param name="MayWait">Whether a call may take long, and so does not count as a concurrent request.</param>
/// <param name="IsStream">Whether its requests are a stream, whose small messages reserve no memory.</param>
internal sealed record RpcRule(string Name, Scope Scope, long MaxBytes, bool MayWait = false, bool IsStream = false)
{
    /// <summary>Fields beside those of a list: the few of a request, and those of later versions.</summary>
    public const int OtherFields = 20;

    /// <summary>Most fields of a message; each entry of a list is one.</summary>
    public int MaxFields { get; init; } = OtherFields;

    /// <summary>Largest entry of a list.</summary>
    public long MaxEntryBytes { get; init; } = MaxBytes;
}

/// <summary>
/// Adds RPCs to a service of gRPC. Requests pass the middleware of all routes: keys, limits, quotas; errors are those of the native API.
/// </summary>
/// <param name="context">The service's methods.</param>
/// <param name="service">Full name of the service.</param>
internal sealed class RpcMethods<TService>(ServiceMethodProviderContext<TService> context, string service)
    where TService : class
{
    /// <summary>Adds an RPC with one request and one response.</summary>
    public void Add<TRequest, TAnswer>(RpcRule rule, MessageParser<TRequest> parser,
        Func<TService, HttpContext, TRequest, Task<TAnswer>> handle)
        where TRequest : class, IMessage<TRequest>
        where TAnswer : class, IMessage<TAnswer> =>
        context.AddUnaryMethod(MethodOf<TRequest, TAnswer>(MethodType.Unary, rule, parser), MetadataOf(rule),
            (own, request, call) => CallAsync(call, http =>
            {
                // It is decompressed and parsed: what it might have become needs no memory any more.
                http.Memory().SetBody((long)GrpcMessage.PerByte * request.CalculateSize());
                return handle(own, http, request);
            }));

    /// <summary>Adds an RPC with streams of requests and responses.</summary>
    public void AddStream<TRequest, TAnswer>(RpcRule rule, MessageParser<TRequest> parser,
        Func<TService, HttpContext, IAsyncStreamReader<TRequest>, IServerStreamWriter<TAnswer>, Task> handle)
        where TRequest : class, IMessage<TRequest>
        where TAnswer : class, IMessage<TAnswer> =>
        context.AddDuplexStreamingMethod(MethodOf<TRequest, TAnswer>(MethodType.DuplexStreaming, rule, parser), MetadataOf(rule),
            (own, requests, answers, call) => CallAsync(call, async http =>
            {
                await handle(own, http, requests, answers);
                return true;
            }));

    private Method<TRequest, TAnswer> MethodOf<TRequest, TAnswer>(MethodType type, RpcRule rule, MessageParser<TRequest> parser)
        where TRequest : class, IMessage<TRequest>
        where TAnswer : class, IMessage<TAnswer> =>
        new(type, service, rule.Name,
            new Marshaller<TRequest>((_, _) => throw new NotSupportedException(), payload => Parse(payload, parser, rule)),
            new Marshaller<TAnswer>(Write, _ => throw new NotSupportedException()));

    private static List<object> MetadataOf(RpcRule rule)
    {
        List<object> metadata = [new HttpMethodMetadata([HttpMethods.Post]), new NeededScope(rule.Scope),
            new ApiErrorFormat(RpcErrors.ToResult), new GrpcRoute(), rule];
        if (rule.MayWait)
            metadata.Add(new WaitingRoute());
        return metadata;
    }

    private static async Task<T> CallAsync<T>(ServerCallContext call, Func<HttpContext, Task<T>> handle)
    {
        var http = call.GetHttpContext();
        var aborted = http.RequestAborted;
        http.RequestAborted = call.CancellationToken; // a deadline ends an RPC as a client that goes away does
        try
        {
            return await handle(http);
        }
        catch (RpcException)
        {
            throw; // a message that cannot be read
        }
        catch (Exception fault) when (call.CancellationToken.IsCancellationRequested
            && fault is (OperationCanceledException or InvalidOperationException or IOException)) // what a write says that comes too late
        {
            throw new RpcException(new Status(StatusCode.Cancelled, "the call was cancelled, or its deadline has passed"));
        }
#pragma warning disable CA1031 // every exception is rendered in the API's format
        catch (Exception fault)
#pragma warning restore CA1031
        {
            throw RpcErrors.ToException(ApiErrors.Report(http, fault));
        }
        finally
        {
            http.RequestAborted = aborted;
        }
    }

    private static TRequest Parse<TRequest>(DeserializationContext payload, MessageParser<TRequest> parser, RpcRule rule)
        where TRequest : IMessage<TRequest>
    {
        try
        {
            return RpcMessages.Read(payload.PayloadAsNewBuffer(), parser, rule);
        }
        catch (ApiException refusal)
        {
            throw RpcErrors.ToException(refusal.Fault);
        }
    }

    private static void Write<TAnswer>(TAnswer answer, SerializationContext payload)
        where TAnswer : IMessage<TAnswer>
    {
        payload.SetPayloadLength(answer.CalculateSize());
        answer.WriteTo(payload.GetBufferWriter());
        payload.Complete();
    }
}
