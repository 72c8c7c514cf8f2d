extern alias grpc;

using System.Text.Json;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using grpc::TaskQueue.Rpc.V1;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Calls the native API over gRPC, with generated clients.</summary>
internal sealed class GrpcClient(Uri address, string? key = null) : IDisposable
{
    private readonly GrpcChannel _channel = GrpcChannel.ForAddress(address, new GrpcChannelOptions { MaxReceiveMessageSize = null });

    public Tasks.TasksClient Tasks => new(_channel);

    public Workers.WorkersClient Workers => new(_channel);

    public Metadata Headers => key is null ? [] : new() { { "authorization", $"Bearer {key}" } };

    public void Dispose() => _channel.Dispose();

    /// <summary>Opens a claim.</summary>
    public async Task<ClaimCall> ClaimAsync(string queue, int credit, string worker = "w", double wait = 20, string? instance = null)
    {
        var call = new ClaimCall(Workers.Claim(Headers));
        var first = new ClaimRequest { Queues = { queue }, Worker = worker, Credit = credit, LeaseSeconds = 60, WaitSeconds = wait };
        if (instance is not null)
            first.Info = new WorkerInfo { Instance = instance };
        await call.SendAsync(first);
        return call;
    }

    public async Task EnqueueAsync(string queue) =>
        await Tasks.EnqueueAsync(new EnqueueRequest { Task = new NewTask { Name = "a", Queue = queue } }, Headers);

    public static ByteString Json(object value) => ByteString.CopyFrom(JsonSerializer.SerializeToUtf8Bytes(value));

    /// <summary>Status, text, and the code and status of the HTTP API.</summary>
    public static async Task<(StatusCode Status, string Text, string? Code, int Http)> RefusedAsync(Func<Task> call)
    {
        try
        {
            await call();
        }
        catch (RpcException fault)
        {
            var details = fault.Trailers.GetValueBytes("grpc-status-details-bin") is { } bytes ? ErrorStatus.Parser.ParseFrom(bytes) : null;
            var info = details?.Details.Where(d => d.TypeUrl.EndsWith("ErrorInfo", StringComparison.Ordinal))
                .Select(d => ErrorInfo.Parser.ParseFrom(d.Value)).SingleOrDefault();
            return (fault.StatusCode, fault.Status.Detail, info?.Reason,
                info is null ? 0 : int.Parse(info.Metadata["http_status"], System.Globalization.CultureInfo.InvariantCulture));
        }

        throw new InvalidOperationException("the call was not refused");
    }
}

/// <summary>A claim that lasts.</summary>
internal sealed class ClaimCall(AsyncDuplexStreamingCall<ClaimRequest, ClaimAnswer> call) : IDisposable
{
    private readonly List<ClaimedTask> _tasks = [];

    /// <summary>Whether the server asked the worker to drain.</summary>
    public bool Drain { get; private set; }

    public void Dispose() => call.Dispose();

    /// <summary>Sends a message; if the server has ended the call, its answers say why.</summary>
    public async Task SendAsync(ClaimRequest request)
    {
        try
        {
            await call.RequestStream.WriteAsync(request);
        }
        catch (Exception fault) when (fault is RpcException or InvalidOperationException)
        {
            // See above.
        }
    }

    public Task GrantAsync(int credit) => SendAsync(new ClaimRequest { Credit = credit });

    /// <summary>Ends the requests.</summary>
    public Task CompleteAsync() => call.RequestStream.CompleteAsync();

    /// <summary>Reads until a number of tasks have arrived.</summary>
    public async Task<List<ClaimedTask>> TakeAsync(int count)
    {
        while (_tasks.Count < count)
        {
            if (!await NextAsync())
                throw new InvalidOperationException($"the claim ended after {_tasks.Count} of {count} tasks");
        }

        var taken = _tasks[..count];
        _tasks.RemoveRange(0, count);
        return taken;
    }

    /// <summary>Reads the next message.</summary>
    /// <returns>False if the server has ended the call.</returns>
    public async Task<bool> NextAsync()
    {
        if (!await call.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(TestHttp.Patience + TestHttp.Patience))
            return false;
        _tasks.AddRange(call.ResponseStream.Current.Tasks);
        Drain |= call.ResponseStream.Current.Drain;
        return true;
    }

    /// <summary>Reads to the end.</summary>
    /// <returns>The tasks that nobody has taken.</returns>
    public async Task<List<ClaimedTask>> RestAsync()
    {
        while (await NextAsync())
        {
        }

        return _tasks;
    }
}
