using TaskQueue.Engine.Bulk;
using TaskQueue.Engine.Health;

namespace TaskQueue.Scheduler.Bulk;

/// <summary>Carries out operations on many tasks. Any number of processes may take part; one at a time holds an operation.</summary>
internal sealed class BulkOperationRunner(BulkOperationWorker worker, PollingServices services) : PollingService(services)
{
    /// <summary>Interval of polling for operations that other processes created.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(500);

    protected override TimeSpan AfterFault => TimeSpan.FromSeconds(1);

    protected override async Task<TimeSpan> PollAsync(CancellationToken cancellationToken)
    {
        var any = await worker.RunAsync(Beat, cancellationToken);
        Dependencies.Database.ReportSuccess();
        return any ? TimeSpan.Zero : LookAgain;
    }
}
