using TaskQueue.Engine.Files;

namespace TaskQueue.Scheduler.Retention;

/// <summary>
/// Removes uploads that were never finished, and contents that have no row. What is left is a day old, and nobody sees it.
/// </summary>
internal sealed class AbandonedFiles(FileService files) : IMaintenanceJob
{
    public async Task<long> RunAsync(Action progress, CancellationToken cancellationToken)
    {
        long total = 0;
        while (await files.RemoveAbandonedAsync() is > 0 and var removed)
        {
            total += removed;
            GoOn();
        }

        return total + await files.RemoveStraysAsync(GoOn);

        void GoOn()
        {
            cancellationToken.ThrowIfCancellationRequested();
            progress();
        }
    }
}
