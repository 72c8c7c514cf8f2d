using Microsoft.Extensions.Options;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Scaling;

/// <summary>What an autoscaler is told of a queue, or of one of its tiers.</summary>
/// <param name="Slots">How many tasks at once it needs.</param>
/// <param name="Due">Tasks that may run now.</param>
/// <param name="Later">Tasks whose time is to come.</param>
/// <param name="Blocked">Tasks behind another with their ordering key.</param>
/// <param name="Running">Tasks with a lease.</param>
/// <param name="OldestAgeSeconds">For how long the oldest due task has waited; 0 where none does.</param>
/// <param name="FinishedPerSecond">Tasks that completed or failed; null where it is not known yet.</param>
/// <param name="ArrivedPerSecond">Tasks that came to wait, or whose time came; null where it is not known yet.</param>
/// <param name="RunSeconds">How long a finished task took a slot, all its attempts together; null where it is not known yet.</param>
/// <param name="Paused">Whether the queue hands out nothing.</param>
/// <param name="WithinSeconds">Within which time what waits should be begun.</param>
public sealed record QueueDemand(
    int Slots, long Due, long Later, long Blocked, long Running, double OldestAgeSeconds, double? FinishedPerSecond,
        double? ArrivedPerSecond, double? RunSeconds,
    bool Paused, double WithinSeconds);

/// <summary>
/// How many workers queues need. It reads nothing of its own: all who ask share the look at the database of <see cref="BacklogWatch"/>.
/// </summary>
public sealed class QueueScaling(BacklogWatch backlog, QueueCatalog queues, IOptions<ScalingOptions> options, TimeProvider time)
{
    /// <summary>How long to wait for the database; then what was seen before counts. KEDA waits three seconds for an answer.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>What a queue needs, whether or not anybody knows it; null where the database has been out of sight for too long.</summary>
    /// <param name="queue">Base name.</param>
    /// <param name="tier">One tier; null is all together.</param>
    /// <param name="within">Seconds within which what waits should be begun; null is as configured.</param>
    /// <param name="cancellationToken">Ends the wait for the database.</param>
    public async Task<QueueDemand?> AskAsync(string queue, int? tier, double? within, CancellationToken cancellationToken)
    {
        var history = backlog.Follow(queue);
        await Task.WhenAny(backlog.RefreshAsync(), Task.Delay(Patience, cancellationToken));
        var samples = history?.Samples ?? [];
        if (samples.Count == 0 && backlog.Last(queue) is { } last)
            samples = [last];
        if (samples.Count == 0 || (backlog.IsFailing && time.GetElapsedTime(samples[^1].Stamp) > LoadHistory.Window))
            return null;

        var settings = (await queues.FindAsync(queue))?.Settings ?? QueueSettings.Default;
        var rate = settings.Rate is { } limit ? limit.MaxTokens * 1000.0 / limit.IntervalMs : (double?)null;
        var seconds = within ?? options.Value.WithinSeconds;
        var loads = samples.Select(s => s.LoadOf(tier, time)).ToList();
        var demand = SlotDemand.Of(loads, seconds, new SlotLimits(settings.Paused, settings.MaxRunning, rate));
        var now = loads[^1];
        return new QueueDemand(demand.Slots, now.Due, now.Later, now.Blocked, now.Running, now.OldestAge, demand.FinishedPerSecond,
            demand.ArrivedPerSecond, demand.RunSeconds, settings.Paused, seconds);
    }
}
