using System.Runtime.ExceptionServices;
using TaskQueue.Engine;
using TaskQueue.Engine.Files;

namespace TaskQueue.Scheduler.Retention;

/// <summary>
/// Removes files whose time is over, unfinished uploads, and contents without a row. The latter two are at least a day old. None is visible
/// to a caller. One that cannot be removed hinders no other, and fails the job at the end.
/// </summary>
internal sealed class AbandonedFiles(FileService files) : IMaintenanceJob
{
    public async Task<long> RunAsync(Action progress, CancellationToken cancellationToken)
    {
        long total = 0;
        FileStoreException? first = null;
        while (await files.RemoveExpiredAsync(Failed) is > 0 and var expired)
        {
            total += expired;
            GoOn();
        }

        while (await files.RemoveAbandonedAsync(Failed) is > 0 and var removed)
        {
            total += removed;
            GoOn();
        }

        total += await files.RemoveStraysAsync(GoOn, Failed);
        if (first is not null)
            ExceptionDispatchInfo.Throw(first);
        return total;

        void Failed(FileStoreException fault) => first ??= fault;

        void GoOn()
        {
            cancellationToken.ThrowIfCancellationRequested();
            progress();
        }
    }
}
