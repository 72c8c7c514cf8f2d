using System.Threading.Channels;
using MassTransit;
using TaskQueue.Contracts;
using TaskQueue.Engine.Bus;

namespace TaskQueue.Consumers.Actions;

/// <summary>Sends reports of this process's attempts, as many in one message as wait when the last one was confirmed.</summary>
internal sealed class WorkReporter : IAsyncDisposable
{
    private const int MaxEntries = 200;

    private readonly Channel<Entry> _waiting = Channel.CreateUnbounded<Entry>(new UnboundedChannelOptions { SingleReader = true });
    private readonly IBus _bus;
    private readonly Uri _address;
    private readonly Task _running;

    public WorkReporter(IBus bus, BusAddress address)
    {
        _bus = bus;
        _address = address.Of(Addresses.ReportQueue);
        _running = Task.Run(RunAsync);
    }

    /// <summary>Name of this process as a worker: unique, because an attempt belongs to the worker that started it.</summary>
    public string Worker { get; } = $"actions@{Environment.MachineName}:{Environment.ProcessId}:{Guid.NewGuid():N}"[..Math.Min(100, Environment.MachineName.Length + 40)];

    public Task ReportAsync(AttemptStarted started) => EnqueueAsync(new Entry(started, null, null));

    public Task ReportAsync(AttemptHeartbeat heartbeat) => EnqueueAsync(new Entry(null, heartbeat, null));

    public Task ReportAsync(AttemptStarted started, AttemptOutcome outcome) => EnqueueAsync(new Entry(started, null, outcome));

    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await _running;
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
            try
            {
                await SendAsync(entries);
                entries.ForEach(e => e.Sent.TrySetResult());
            }
#pragma warning disable CA1031 // the consumer gets it, and the broker delivers its message again
            catch (Exception fault)
#pragma warning restore CA1031
            {
                entries.ForEach(e => e.Sent.TrySetException(fault));
            }
        }
    }

    private async Task SendAsync(List<Entry> entries)
    {
        var endpoint = await _bus.GetSendEndpoint(_address);
        await endpoint.Send(new ReportTasks(
            Worker,
            [.. entries.Select(e => e.Started).OfType<AttemptStarted>()],
            [.. entries.Select(e => e.Heartbeat).OfType<AttemptHeartbeat>()],
            [.. entries.Select(e => e.Outcome).OfType<AttemptOutcome>()]));
    }

    private sealed record Entry(AttemptStarted? Started, AttemptHeartbeat? Heartbeat, AttemptOutcome? Outcome)
    {
        public TaskCompletionSource Sent { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
