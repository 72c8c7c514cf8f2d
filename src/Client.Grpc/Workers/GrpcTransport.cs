using Microsoft.Extensions.Logging;
using Wire = TaskQueue.Rpc.V1;

namespace TaskQueue.Client;

/// <summary>
/// Claims tasks from pull queues over a stream of gRPC: the worker gives credit for as many tasks as it has room, and the server sends
/// tasks as soon as they are due.
/// </summary>
internal sealed class GrpcTransport(TaskQueueWorkerOptions options, RpcConnection connection, TimeProvider time,
    ILogger<GrpcTransport> logger) : PullTransport(options, time, logger), IDisposable
{
    /// <summary>Silences of the server, in messages that did not come, after which the connection is given up.</summary>
    private const int Missing = 2;

    /// <summary>A call that ends sooner, and brought nothing, is followed by a pause.</summary>
    private static readonly TimeSpan ShortestCall = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(5);

    /// <summary>A large message takes its time; that a connection has gone is noticed by its pings.</summary>
    private static readonly TimeSpan ShortestPatience = TimeSpan.FromSeconds(60);

    private readonly TaskQueueWorkerOptions _options = options;
    private readonly TimeProvider _time = time;
    private readonly Wire.Workers.WorkersClient _workers = new(connection.Invoker);

    public void Dispose() => connection.Dispose();

    /// <summary>How long to wait for the next message.</summary>
    /// <param name="wait">Seconds after which the server sends one at the latest.</param>
    internal static TimeSpan PatienceOf(double wait) =>
        (TimeSpan.FromSeconds(wait) * Missing) + Margin is var patience && patience > ShortestPatience ? patience : ShortestPatience;

    protected override async Task FetchOnceAsync(InFlightAttempts attempts, int room, CancellationToken enough, CancellationToken giveUp)
    {
        var wait = Math.Clamp(WaitSeconds, 1, 30);
        var patience = PatienceOf(wait);
        using var late = new CancellationTokenSource(patience, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(giveUp, late.Token);
        var (begin, isUseful) = (_time.GetTimestamp(), false);
        try
        {
            using var call = _workers.Claim(connection.Options(either.Token));
            await using var stream = new CreditStream(call, attempts, enough);
            await stream.BeginAsync(WorkerWire.ToClaim(_options, Info, wait), room);
            await call.ResponseHeadersAsync; // says why a call could not begin: to its stream that is a cancellation
            while (await call.ResponseStream.MoveNext(either.Token))
            {
                late.CancelAfter(patience);
                var answer = call.ResponseStream.Current;
                Claimed(attempts, answer.Tasks.Select(WorkerWire.ToTask), answer.Drain);
                stream.Received(answer.Tasks.Count);
                isUseful |= answer.Tasks.Count > 0;
            }
        }
        catch (OperationCanceledException) when (giveUp.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception fault)
        {
            throw connection.ToException(fault, late.Token);
        }

        // A server that ends calls at once, such as one that stops, is not asked all the time.
        if (!isUseful && _time.GetElapsedTime(begin) < ShortestCall)
            await Task.Delay(ShortestCall, _time, enough).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    protected override async Task<LineAnswers> CallAsync(HeartbeatRequest request, CancellationToken cancellationToken)
    {
        var message = WorkerWire.ToMessage(request);
        var answers = await connection.CallAsync(o => _workers.HeartbeatAsync(message, o), cancellationToken);
        return WorkerWire.ToAnswers(answers, request.Tasks.Select(t => (t.Id, t.Attempt)));
    }

    protected override async Task<LineAnswers> CallAsync(ReportRequest request, CancellationToken cancellationToken)
    {
        var message = WorkerWire.ToMessage(request);
        var answers = await connection.CallAsync(o => _workers.ReportAsync(message, o), cancellationToken);
        return WorkerWire.ToAnswers(answers, request.Tasks.Select(t => (t.Id, t.Attempt)));
    }

    protected override Task CallAsync(StoppedRequest request, CancellationToken cancellationToken) =>
        connection.CallAsync(o => _workers.StoppedAsync(new Wire.StoppedRequest { Worker = request.Worker }, o), cancellationToken);
}
