using System.Threading.Channels;
using MassTransit;
using Microsoft.Extensions.Logging;
using TaskQueue.Contracts;
using TaskQueue.Engine.Bus;

namespace TaskQueue.Consumers.Actions;

/// <summary>
/// Sends reports of this process's attempts, as many in one message as wait when the last one was confirmed. What was not
/// confirmed is sent again: a report that came twice changes nothing.
/// </summary>
internal sealed partial class WorkReporter : IAsyncDisposable
{
    private const int MaxEntries = 200;
    private static readonly TimeSpan AfterFault = TimeSpan.FromMilliseconds(500);

    private readonly Channel<Entry> _waiting = Channel.CreateUnbounded<Entry>(new UnboundedChannelOptions { SingleReader = true });
    private readonly IBus _bus;
    private readonly BusAddress _queues;
    private readonly Uri _address;
    private readonly ConfirmTimeout _confirmTimeout;
    private readonly TimeProvider _time;
    private readonly ILogger<WorkReporter> _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;

    public WorkReporter(IBus bus, BusAddress address, ConfirmTimeout confirmTimeout, TimeProvider time, ILogger<WorkReporter> logger)
    {
        _bus = bus;
        _confirmTimeout = confirmTimeout;
        _time = time;
        _logger = logger;
        _queues = address;
        _address = address.Of(Addresses.ReportQueue);
        _running = Task.Run(RunAsync);
    }

    /// <summary>Name of this process as a worker: unique, because an attempt belongs to the worker that started it.</summary>
    public string Worker { get; } = $"actions@{Environment.MachineName}:{Environment.ProcessId}:{Guid.NewGuid():N}"[..Math.Min(100, Environment.MachineName.Length + 40)];

    /// <summary>Whether there is a broker to take reports.</summary>
    public bool IsConnected => _confirmTimeout.IsConnected;

    public Task ReportAsync(AttemptStarted started) => EnqueueAsync(new Entry(started, null, null));

    public Task ReportAsync(AttemptHeartbeat heartbeat) => EnqueueAsync(new Entry(null, heartbeat, null));

    public Task ReportAsync(AttemptStarted started, AttemptOutcome outcome) => EnqueueAsync(new Entry(started, null, outcome));

    /// <summary>Sends tasks on to whoever consumes from their queue.</summary>
    public async Task PassOnAsync(string queue, DispatchTasks tasks)
    {
        var endpoint = await _bus.GetSendEndpoint(_queues.Of(queue));
        await endpoint.Send(tasks, c => BusAddress.DemandQueue(c));
    }

    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    private async Task EnqueueAsync(Entry entry)
    {
        await _waiting.Writer.WriteAsync(entry);
        await entry.Sent.Task;
    }

    private async Task RunAsync()
    {
        while (await _waiting.Reader.WaitToReadAsync())
        {
            var entries = new List<Entry>();
            while (entries.Count < MaxEntries && _waiting.Reader.TryRead(out var entry))
                entries.Add(entry);
            while (!await TrySendAsync(entries))
                await Task.Delay(AfterFault, _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<bool> TrySendAsync(List<Entry> entries)
    {
        try
        {
            await _confirmTimeout.ConfirmedAsync(() => SendAsync(entries), _stop.Token);
            entries.ForEach(e => e.Sent.TrySetResult());
            return true;
        }
#pragma warning disable CA1031 // whatever it is: while the process runs, it tries again
        catch (Exception fault)
#pragma warning restore CA1031
        {
            if (!_stop.IsCancellationRequested)
            {
                if (!_confirmTimeout.Covers(fault))
                    LogReportFailed(fault, entries.Count);
                return false;
            }

            entries.ForEach(e => e.Sent.TrySetException(fault));
            return true;
        }
    }

    private async Task SendAsync(List<Entry> entries)
    {
        var endpoint = await _bus.GetSendEndpoint(_address);
        await endpoint.Send(new ReportTasks(
            Worker,
            [.. entries.Select(e => e.Started).OfType<AttemptStarted>()],
            [.. entries.Select(e => e.Heartbeat).OfType<AttemptHeartbeat>()],
            [.. entries.Select(e => e.Outcome).OfType<AttemptOutcome>()]), c => BusAddress.DemandQueue(c));
    }

    [LoggerMessage(LogLevel.Warning, "A report of {Count} attempts was not sent; trying again")]
    private partial void LogReportFailed(Exception fault, int count);

    private sealed record Entry(AttemptStarted? Started, AttemptHeartbeat? Heartbeat, AttemptOutcome? Outcome)
    {
        public TaskCompletionSource Sent { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
