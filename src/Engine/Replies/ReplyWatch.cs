using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Memory;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Replies;

/// <summary>Looks up the ends of tasks whose callers have heard nothing for a while: replies may be lost, ends are not.</summary>
internal sealed partial class ReplyWatch(ReplyDesk desk, TaskQueries queries, Pulses pulses, Outages outages, TimeProvider time, ILogger<ReplyWatch> logger) : BackgroundService
{
    private const int MaxLooks = 1000;
    private static readonly TimeSpan LookAfter = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var pulse = pulses.Of(GetType());
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (desk.Unheard(LookAfter, MaxLooks) is { Count: > 0 } waiting)
                    await LookAsync(waiting, stoppingToken);
                pulse.Succeeded();
            }
#pragma warning disable CA1031 // the next round tries again
            catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                if (!outages.Covers(fault))
                {
                    pulse.Failed(fault);
                    LogFailed(fault);
                }
            }

            await Task.Delay(LookAfter, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Large results are left to their callers, which read them once they have reserved memory.</summary>
    private async Task LookAsync(List<Guid> waiting, CancellationToken stop)
    {
        foreach (var outcome in await queries.OutcomesAsync(waiting, stop))
        {
            var isSmall = outcome.ResultBytes <= MemoryBudget.SmallBytes;
            var result = isSmall && outcome.ResultBytes > 0 ? await queries.ResultAsync(outcome.Id, stop) : null;
            await desk.DeliverAsync(new Reply(outcome.Id, null, new TaskEnd(outcome.State, result, outcome.Error, isSmall ? 0 : outcome.ResultBytes)), stop);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Looking up the tasks of waiting callers failed; trying again")]
    private partial void LogFailed(Exception fault);
}
