using TaskQueue.Engine.Health;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Scheduler.Retention;

/// <summary>
/// Removes the rows of tasks that are gone: deleted, or finished so long ago that nobody needs them. In small batches with
/// pauses as long as they took, so that claims find the database free half of the time. Several processes share the work.
/// </summary>
internal sealed class RetentionService(IQueueStore store, PollingServices services) : PollingService(services)
{
    private const int MaxBatch = 500;

    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    protected override async Task<TimeSpan> TurnAsync(CancellationToken cancellationToken)
    {
        var start = Time.GetTimestamp();
        return await store.RemoveDeletedAsync(Micros.Now(Time), MaxBatch) < MaxBatch ? LookAgain : Time.GetElapsedTime(start);
    }
}
