using Microsoft.Extensions.Logging;
using TaskQueue.Bus.Connection;
using TaskQueue.Bus.Dispatch;
using TaskQueue.Engine;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Bus.Outbox;

/// <summary>
/// Publishes the pages of the outbox dispatcher, and dispatches their tasks at the same time. If a page fails although the broker is
/// reachable, it is halved until the unpublishable event stands alone; that one is quarantined, and the others keep their order.
/// </summary>
internal sealed partial class IsolatingPublisher(
    EventPublisher publisher, DispatchAhead workers, AcceptedSizes sizes, ConfirmTimeout confirmTimeout, EventQuarantine events,
    TimeProvider time, ILogger<IsolatingPublisher> logger)
{
    /// <summary>Failures of one page, with a connected broker, after which the page itself is suspected, whatever the exception.</summary>
    private const int Patience = 3;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200), LongestReconnect = TimeSpan.FromSeconds(10);

    private readonly RepeatedFailures<(int Partition, long Id)> _failures = new(time);
    private (int Partition, long Id) _suspect;
    private int _suspicions;

    /// <summary>This process dispatches the outbox from these offsets on.</summary>
    public void Begin(long[] offsets) => workers.Begin(offsets);

    /// <summary>
    /// Publishes a page, in order for each task, and returns when the broker has confirmed it or the rest is quarantined.
    /// </summary>
    public async Task PublishAsync(IReadOnlyList<TaskEvent> page, CancellationToken cancellationToken)
    {
        var steps = PublishStepsAsync(page, cancellationToken);
        // It cannot be cancelled: it ends soon by itself.
        var dispatches = workers.DispatchAsync(page, steps, cancellationToken).WaitAsync(cancellationToken);
        await Task.WhenAll(steps, dispatches);
    }

    private async Task PublishStepsAsync(IReadOnlyList<TaskEvent> page, CancellationToken cancellationToken)
    {
        try
        {
            await SendAsync(page, cancellationToken);
            _suspicions = 0;
            return;
        }
        catch (Exception fault) when (!cancellationToken.IsCancellationRequested && Suspects(page, fault))
        {
            LogApart(fault, page.Count);
        }

        await PublishApartAsync(page, cancellationToken);
        _suspicions = 0;
    }

    /// <summary>
    /// Whether the events are at fault: the exception says so, or recurs with the same page while the broker is reachable.
    /// </summary>
    private bool Suspects(IReadOnlyList<TaskEvent> page, Exception fault)
    {
        if (IsTheirs(fault))
            return true;
        sizes.Forget();
        var first = (page[0].Partition, page[0].Id);
        if (!confirmTimeout.IsConnected || IsOutage(fault))
            return false;
        (_suspect, _suspicions) = first == _suspect ? (first, _suspicions + 1) : (first, 1);
        return _suspicions >= Patience;
    }

    private static bool IsTheirs(Exception fault) =>
        ConfirmTimeout.IsRefusal(fault)
            || (StorageFaults.IsOfRow(fault) && !IsOutage(fault) && fault is not RabbitMQ.Client.Exceptions.RabbitMQClientException);

    /// <summary>Includes a broker that accepts nothing for a subscriber: that is temporary, and must not cost any event.</summary>
    private static bool IsOutage(Exception fault) =>
        fault is BrokerSilentException or MassTransit.MassTransitException || StorageFaults.IsTransient(fault);

    private async Task PublishApartAsync(IReadOnlyList<TaskEvent> page, CancellationToken cancellationToken)
    {
        if (page.Count == 1)
        {
            await PublishOneAsync(page[0], cancellationToken);
            return;
        }

        foreach (var half in new[] { page.Take(page.Count / 2).ToList(), page.Skip(page.Count / 2).ToList() })
        {
            try
            {
                await ReconnectAsync(cancellationToken);
                await SendAsync(half, cancellationToken);
            }
            catch (Exception fault) when (!cancellationToken.IsCancellationRequested && !IsOutage(fault))
            {
                await PublishApartAsync(half, cancellationToken);
            }
        }
    }

    private async Task PublishOneAsync(TaskEvent e, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await ReconnectAsync(cancellationToken);
                await SendAsync([e], cancellationToken);
                _failures.Succeeded((e.Partition, e.Id));
                return;
            }
            catch (Exception fault) when (!cancellationToken.IsCancellationRequested && !IsOutage(fault))
            {
                if (_failures.Failed((e.Partition, e.Id)))
                {
                    await SetAsideAsync(e, fault, cancellationToken);
                    _failures.Succeeded((e.Partition, e.Id));
                    return;
                }
            }

            await Task.Delay(Pause, time, cancellationToken);
        }
    }

    private async Task SetAsideAsync(TaskEvent e, Exception reason, CancellationToken cancellationToken)
    {
        // Nothing is quarantined because of a broker outage.
        await ReconnectAsync(cancellationToken);
        await confirmTimeout.ConfirmedAsync(publisher.ProbeAsync, cancellationToken);
        if (await events.SetAsideAsync(e, reason, cancellationToken) is { } problem)
            throw problem;
    }

    private Task SendAsync(IReadOnlyList<TaskEvent> page, CancellationToken cancellationToken) =>
        publisher.HasSteps(page)
            ? confirmTimeout.ConfirmedAsync(() => publisher.PublishStepsAsync(page), cancellationToken)
            : Task.CompletedTask;

    /// <summary>A broker that rejected a message closed the channel, which reopens shortly.</summary>
    private async Task ReconnectAsync(CancellationToken cancellationToken)
    {
        var begun = time.GetTimestamp();
        while (!confirmTimeout.IsConnected)
        {
            if (time.GetElapsedTime(begun) > LongestReconnect)
                throw new BrokerSilentException("the broker is not connected");
            await Task.Delay(Pause, time, cancellationToken);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Cannot publish a page of {Count} events; publishing it in parts")]
    private partial void LogApart(Exception fault, int count);
}
