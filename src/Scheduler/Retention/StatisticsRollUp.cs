using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Statistics;

namespace TaskQueue.Scheduler.Retention;

/// <summary>
/// Sums minutes to hours and hours to days, and removes what is old. A run computes the latest periods again, because counts of a past
/// minute may arrive late, and continues where the last one ended, so that nothing is removed before it is summed.
/// </summary>
internal sealed class StatisticsRollUp(IStatisticsStore store, IOptions<StatisticsOptions> options, TimeProvider time) : IMaintenanceJob
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1), Day = TimeSpan.FromDays(1);

    public async Task<long> RunAsync(Action progress, CancellationToken cancellationToken)
    {
        var (limits, now) = (options.Value, Micros.Now(time));
        var hours = await RollUpAsync(StatisticsStep.Hour, Hour, 2, now, progress, cancellationToken);
        var days = await RollUpAsync(StatisticsStep.Day, Day, 1, now, progress, cancellationToken);
        // Periods that are computed again need all of their parts.
        return await RemoveAsync(StatisticsStep.Minute, Earlier(Floor(now.AddHours(-limits.KeepMinutesHours), Hour), hours), progress,
                cancellationToken)
            + await RemoveAsync(StatisticsStep.Hour, Earlier(Floor(now.AddDays(-limits.KeepHoursDays), Day), days), progress,
                cancellationToken)
            + await RemoveAsync(StatisticsStep.Day, now.AddDays(-limits.KeepDays), progress, cancellationToken);
    }

    /// <returns>Start of the first period that was computed.</returns>
    private async Task<DateTime> RollUpAsync(StatisticsStep step, TimeSpan length, int again, DateTime now, Action progress,
        CancellationToken cancellationToken)
    {
        var begin = await store.ComputedUntilAsync(step, cancellationToken) is { } until ? until - (again * length)
            : await store.FirstAsync(step - 1, DateTime.UnixEpoch, cancellationToken) ?? now;
        begin = Floor(begin, length);
        for (var from = begin; from <= now; from += length)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (await store.FirstAsync(step - 1, from, cancellationToken) is not { } next || next > now)
                break;
            from = Floor(next, length); // periods in which nothing happened have no rows
            await store.RollUpAsync(step, from, from + length, options.Value.MaxKeptSeries, cancellationToken);
            progress();
        }

        await store.SetComputedUntilAsync(step, now, cancellationToken);
        return begin;
    }

    private Task<long> RemoveAsync(StatisticsStep step, DateTime before, Action progress, CancellationToken cancellationToken) =>
        RemoveInSteps.RunAsync(
            () => store.RemoveAsync(step, before, RemoveInSteps.Max, cancellationToken), progress, time, cancellationToken);

    private static DateTime Earlier(DateTime one, DateTime other) => one < other ? one : other;

    private static DateTime Floor(DateTime at, TimeSpan length) => new(at.Ticks - (at.Ticks % length.Ticks), DateTimeKind.Utc);
}
