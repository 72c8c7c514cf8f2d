using Microsoft.Extensions.Logging;
using TaskQueue.Bus.Connection;
using TaskQueue.Engine;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Bus.Outbox;

/// <summary>
/// Publishes the pages of the outbox dispatcher. Where a page fails though the broker is there, it is halved until the event stands alone
/// that cannot
/// be published; that one is set aside, and the others keep their order.
/// </summary>
internal sealed partial class IsolatingPublisher(
    EventPublisher publisher, ConfirmTimeout confirmTimeout, EventQuarantine events, TaskQuarantine tasks, TimeProvider time,
        ILogger<IsolatingPublisher> logger)
{
    /// <summary>
    /// Failures of one page, with a broker that is connected, after which the page itself is suspected whatever the fault looks like.
    /// </summary>
    private const int Patience = 3;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200), LongestReconnect = TimeSpan.FromSeconds(10);

    private readonly RepeatedFailures<(int Stream, long Id)> _failures = new(time);
    private (int Stream, long Id) _suspect;
    private int _suspicions;

    /// <summary>
    /// Publishes a page, in its order for each task, and returns when the broker has confirmed it or the rest is listed as set aside.
    /// </summary>
    public async Task PublishAsync(IReadOnlyList<TaskEvent> page, CancellationToken cancellationToken)
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
    /// Whether the events are to blame: the fault says so, or it comes again with the same page while the broker is there.
    /// </summary>
    private bool Suspects(IReadOnlyList<TaskEvent> page, Exception fault)
    {
        if (IsTheirs(fault))
            return true;
        var first = (page[0].Stream, page[0].Id);
        if (!confirmTimeout.IsConnected || IsOutage(fault))
            return false;
        (_suspect, _suspicions) = first == _suspect ? (first, _suspicions + 1) : (first, 1);
        return _suspicions >= Patience;
    }

    private static bool IsTheirs(Exception fault) =>
        ConfirmTimeout.IsRefusal(fault)
            || (StorageFaults.IsOfRow(fault) && !IsOutage(fault) && fault is not RabbitMQ.Client.Exceptions.RabbitMQClientException);

    /// <summary>
    /// Also where the broker takes nothing for a queue, such as one that is full: that passes, and must not cost any event.
    /// </summary>
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
                _failures.Succeeded((e.Stream, e.Id));
                return;
            }
            catch (Exception fault) when (!cancellationToken.IsCancellationRequested && !IsOutage(fault))
            {
                if (_failures.Failed((e.Stream, e.Id)))
                {
                    await SetAsideAsync(e, fault, cancellationToken);
                    _failures.Succeeded((e.Stream, e.Id));
                    return;
                }
            }

            await Task.Delay(Pause, time, cancellationToken);
        }
    }

    private async Task SetAsideAsync(TaskEvent e, Exception reason, CancellationToken cancellationToken)
    {
        // Nothing is set aside because the broker is away.
        await ReconnectAsync(cancellationToken);
        await confirmTimeout.ConfirmedAsync(publisher.ProbeAsync, cancellationToken);
        if (e.Dispatch && await TryStepAsync(e, cancellationToken))
        {
            // Subscribers have the step; it is the task that cannot be sent to its workers.
            if ((await tasks.SetAsideAsync(Sweep.Dispatch, e.TaskId, reason, cancellationToken)).Fault is { } unlisted)
                throw unlisted;
            return;
        }

        if (await events.SetAsideAsync(e, reason, cancellationToken) is { } problem)
            throw problem;
    }

    private async Task<bool> TryStepAsync(TaskEvent e, CancellationToken cancellationToken)
    {
        try
        {
            await confirmTimeout.ConfirmedAsync(() => publisher.PublishStepsAsync([e]), cancellationToken);
            return true;
        }
        catch (Exception fault) when (!cancellationToken.IsCancellationRequested && IsTheirs(fault))
        {
            return false;
        }
    }

    private Task SendAsync(IReadOnlyList<TaskEvent> page, CancellationToken cancellationToken) =>
        confirmTimeout.ConfirmedAsync(() => publisher.PublishAsync(page), cancellationToken);

    /// <summary>A broker that refused something closed the channel, which opens again in a moment.</summary>
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

    [LoggerMessage(LogLevel.Warning, "A page of {Count} events was not published; they are published apart")]
    private partial void LogApart(Exception fault, int count);
}
