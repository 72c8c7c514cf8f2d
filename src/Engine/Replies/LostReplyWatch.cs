using TaskQueue.Engine.Health;
using TaskQueue.Engine.Memory;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Replies;

/// <summary>
/// Looks up the completion of tasks whose callers have received nothing for a while: replies may be lost, completions are stored.
/// </summary>
internal sealed class LostReplyWatch(CompletionRouter router, ITaskQueries queries, PollingServices services) : PollingService(services)
{
    private const int MaxLooks = 1000;

    private static readonly TimeSpan LookAfter = TimeSpan.FromSeconds(1);

    protected override TimeSpan AfterFault => LookAfter;

    protected override async Task<TimeSpan> PollAsync(CancellationToken cancellationToken)
    {
        if (router.Unheard(LookAfter, MaxLooks) is { Count: > 0 } waiting)
            await LookAsync(waiting, cancellationToken);
        return LookAfter;
    }

    /// <summary>Large results are left to their callers, which read them once they have reserved memory.</summary>
    private async Task LookAsync(List<Guid> waiting, CancellationToken cancellationToken)
    {
        foreach (var outcome in await queries.OutcomesAsync(waiting, cancellationToken))
        {
            var isSmall = outcome.ResultBytes <= MemoryBudget.SmallBytes;
            var result = isSmall && outcome.ResultBytes > 0 ? await queries.ResultAsync(outcome.Id, cancellationToken) : null;
            await router.DeliverAsync(new Reply(outcome.Id, null,
                new TaskCompletion(outcome.State, result, outcome.Error, isSmall ? 0 : outcome.ResultBytes)), cancellationToken);
        }
    }
}
