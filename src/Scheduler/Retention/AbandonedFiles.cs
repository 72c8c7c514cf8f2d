using TaskQueue.Engine.Files;
using TaskQueue.Engine.Health;

namespace TaskQueue.Scheduler.Retention;

/// <summary>Removes uploads that were never finished, and contents that have no row. Several processes may do it at once.</summary>
internal sealed class AbandonedFiles(FileService files, PollingServices services) : PollingService(services)
{
    /// <summary>What is left is a day old, and nobody sees it.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromHours(1);

    protected override TimeSpan AfterFault => TimeSpan.FromMinutes(1);

    protected override async Task<TimeSpan> TurnAsync(CancellationToken cancellationToken)
    {
        while (await files.RemoveAbandonedAsync() > 0)
            GoOn();
        await files.RemoveStraysAsync(GoOn);
        return LookAgain;

        void GoOn()
        {
            cancellationToken.ThrowIfCancellationRequested();
            Beat();
        }
    }
}
