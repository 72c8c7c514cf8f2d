using TaskQueue.Engine.Files;

namespace TaskQueue.Scheduler.Retention;

/// <summary>Removes unfinished uploads and contents without a row. They are at least a day old and visible to no caller.</summary>
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
