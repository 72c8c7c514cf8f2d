using Microsoft.Extensions.Options;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Scaling;

/// <summary>Demand of a queue, or of one of its tiers, for an autoscaler.</summary>
/// <param name="Slots">Number of concurrent tasks it needs.</param>
/// <param name="Due">Tasks that may run now.</param>
/// <param name="Later">Tasks scheduled for later.</param>
/// <param name="Blocked">Tasks blocked by another with the same ordering key.</param>
/// <param name="Running">Tasks with a lease.</param>
/// <param name="OldestAgeSeconds">Seconds that the oldest due task has waited; 0 if none is due.</param>
/// <param name="FinishedPerSecond">Rate of tasks completed or failed; null while unknown.</param>
/// <param name="ArrivedPerSecond">Rate of tasks that became due; null while unknown.</param>
/// <param name="RunSeconds">Slot time of a finished task over all its attempts, in seconds; null while unknown.</param>
/// <param name="Paused">Whether the queue is paused.</param>
/// <param name="WithinSeconds">Target time in seconds until waiting tasks begin.</param>
public sealed record QueueDemand(
    int Slots, long Due, long Later, long Blocked, long Running, double OldestAgeSeconds, double? FinishedPerSecond,
    double? ArrivedPerSecond, double? RunSeconds,
    bool Paused, double WithinSeconds);

/// <summary>Computes how many workers queues need. All queries share the database reads of <see cref="BacklogWatch"/>.</summary>
public sealed class QueueScaling(BacklogWatch backlog, QueueCatalog queues, IOptions<ScalingOptions> options, TimeProvider time)
{
    /// <summary>Maximum wait for the database; then the previous values are used. KEDA waits three seconds for an answer.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>The demand of a queue, whether or not it is declared; null if the last successful read is too old.</summary>
    /// <param name="queue">Base name.</param>
    /// <param name="tier">A tier; null is all tiers together.</param>
    /// <param name="within">Target time in seconds until waiting tasks begin; null is the configured time.</param>
    /// <param name="cancellationToken">Cancels the wait for the database.</param>
    public async Task<QueueDemand?> AskAsync(string queue, int? tier, double? within, CancellationToken cancellationToken)
    {
        backlog.Follow(queue);
        await Task.WhenAny(backlog.RefreshAsync(), Task.Delay(Patience, cancellationToken));
        var settings = (await queues.FindAsync(queue))?.Settings ?? QueueSettings.Default;
        return Peek(queue, settings, tier, within);
    }

    /// <summary>The demand of a queue at the last read of the backlog; null if that is too old.</summary>
    /// <param name="queue">Base name.</param>
    /// <param name="settings">Its settings.</param>
    /// <param name="tier">A tier; null is all tiers together.</param>
    /// <param name="within">Target time in seconds until waiting tasks begin; null is the configured time.</param>
    public QueueDemand? Peek(string queue, QueueSettings settings, int? tier = null, double? within = null)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var history = backlog.Follow(queue);
        var samples = history?.Samples ?? [];
        if (samples.Count == 0 && backlog.Last(queue) is { } last)
            samples = [last];
        if (samples.Count == 0 || (backlog.IsFailing && time.GetElapsedTime(samples[^1].Stamp) > LoadHistory.Window))
            return null;

        var rate = settings.Rate is { } limit ? limit.MaxTokens * 1000.0 / limit.IntervalMs : (double?)null;
        var seconds = within ?? options.Value.WithinSeconds;
        var loads = samples.Select(s => s.LoadOf(tier, time)).ToList();
        var demand = SlotDemand.Of(loads, seconds, new SlotLimits(settings.Paused, settings.MaxRunning, rate));
        var now = loads[^1];
        return new QueueDemand(demand.Slots, now.Due, now.Later, now.Blocked, now.Running, now.OldestAge, demand.FinishedPerSecond,
            demand.ArrivedPerSecond, demand.RunSeconds, settings.Paused, seconds);
    }
}
