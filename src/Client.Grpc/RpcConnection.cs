using System.Net.Sockets;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Options;

namespace TaskQueue.Client;

/// <summary>Calls the server over gRPC and turns its errors into <see cref="TaskQueueException"/>.</summary>
internal sealed class RpcConnection : IDisposable
{
    /// <summary>Longest wait for the answer of a call that is no stream.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>An idle connection is checked, so that one that the network has dropped is noticed.</summary>
    private static readonly TimeSpan PingDelay = TimeSpan.FromSeconds(30), PingTimeout = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    private readonly GrpcChannel _channel;
    private readonly TimeProvider _time;
    private readonly Metadata _headers = [];
    private readonly Uri _address;

    /// <param name="options">Address and key.</param>
    /// <param name="configure">Changes the options of the channel; null: nothing.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="OptionsValidationException">The address has a path.</exception>
    public RpcConnection(TaskQueueClientOptions options, Action<GrpcChannelOptions>? configure, TimeProvider time)
    {
        _address = options.BaseAddress;
        _time = time;
        if (_address.AbsolutePath != "/")
            throw new OptionsValidationException(nameof(TaskQueueClientOptions), typeof(TaskQueueClientOptions),
                [$"TaskQueueClientOptions.BaseAddress must have no path for gRPC, and is {_address}"]);
        if (options.ApiKey is { } key)
            _headers.Add("authorization", $"Bearer {key}");
        var channel = new GrpcChannelOptions
        {
            MaxReceiveMessageSize = null, // a task may be as large as the server permits
            DisposeHttpClient = true,
        };
        configure?.Invoke(channel);
        channel.ThrowOperationCanceledOnCancellation = true;
        if (channel is { HttpHandler: null, HttpClient: null })
            channel.HttpHandler = new SocketsHttpHandler
            {
                ConnectTimeout = ConnectTimeout,
                ConnectCallback = ConnectAsync,
                KeepAlivePingDelay = PingDelay,
                KeepAlivePingTimeout = PingTimeout,
                EnableMultipleHttp2Connections = true,
            };
        _channel = GrpcChannel.ForAddress(_address, channel);
    }

    public CallInvoker Invoker => field ??= _channel.CreateCallInvoker();

    /// <summary>Options of a call: with the key.</summary>
    public CallOptions Options(CancellationToken cancellationToken) => new(_headers, cancellationToken: cancellationToken);

    /// <summary>Calls an RPC with one answer.</summary>
    /// <param name="call">Begins the call.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async Task<T> CallAsync<T>(Func<CallOptions, AsyncUnaryCall<T>> call, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(Patience, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, late.Token);
        try
        {
            using var running = call(Options(either.Token));
            return await running.ResponseAsync;
        }
        catch (Exception fault) when (fault is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            throw ToException(fault, late.Token);
        }
    }

    /// <summary>What the failure of a call means.</summary>
    /// <param name="fault">The failure.</param>
    /// <param name="late">Cancelled if the call was given up because it took too long.</param>
    public TaskQueueException ToException(Exception fault, CancellationToken late) =>
        fault switch
        {
            TaskQueueException known => known,
            RpcException rpc => RpcFaults.ToException(rpc, _address),
            OperationCanceledException when late.IsCancellationRequested => new($"{_address} did not answer in time", 0, inner: fault),
            OperationCanceledException =>
                new($"{_address} cannot be reached: {fault.InnerException?.Message ?? fault.Message}", 0, inner: fault),
            _ => new($"{_address} cannot be asked: {fault.GetType().Name}: {fault.Message}", 0, inner: fault),
        };

    public void Dispose() => _channel.Dispose();

    /// <summary>
    /// Connects as the handler itself does. With a callback of its own the channel attempts to connect whenever it is called; without, it
    /// refuses calls for up to two minutes after a server was away, and callers have their own pauses.
    /// </summary>
    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
