using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Health;
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
                pulse.Beat();
            }
#pragma warning disable CA1031 // the next round tries again
            catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                if (!outages.Covers(fault))
                    LogFailed(fault);
            }

            await Task.Delay(LookAfter, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task LookAsync(List<Guid> waiting, CancellationToken stop)
    {
        Dictionary<Guid, TaskState> found;
        try
        {
            found = (await queries.FindManyAsync(waiting, Access.All, stop)).ToDictionary(t => t.CorrelationId);
        }
        catch (UnreadableDataException) when (waiting.Count > 1)
        {
            // One task that cannot be decrypted must not keep the ends of the others from their callers.
            foreach (var id in waiting)
                await LookAsync([id], stop);
            return;
        }
        catch (UnreadableDataException unreadable)
        {
            await desk.DeliverAsync(new Reply(waiting[0], null, new TaskEnd(TaskStates.Failed, null, unreadable.Message)), stop);
            return;
        }

        foreach (var id in waiting)
        {
            // What is no longer there was purged.
            var end = !found.TryGetValue(id, out var task) ? new TaskEnd(TaskStates.Cancelled, null, null)
                : TaskStates.IsTerminal(task.State) ? new TaskEnd(task.State, task.Result, task.Error) : null;
            if (end is not null)
                await desk.DeliverAsync(new Reply(id, null, end), stop);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Looking up the tasks of waiting callers failed; trying again")]
    private partial void LogFailed(Exception fault);
}
