using Hangfire;
using Hangfire.Storage;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>
/// What is known of the runs of each job, in a hash of Hangfire's storage, and the right to run one. A distributed lock of the storage
/// guards each change; it is held for an instant, because not every storage renews a lock or frees that of a process that was killed.
/// </summary>
internal sealed class MaintenanceStates(JobStorage storage, IOptions<MaintenanceOptions> options, TimeProvider time)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly string _process = $"{Environment.MachineName}:{Environment.ProcessId}";

    private TimeSpan Length => options.Value.TakeOverAfter;

    public MaintenanceState Read(string job)
    {
        using var connection = storage.GetConnection();
        return Read(connection, job);
    }

    /// <summary>Takes a job for a run of this process; null where another run has it.</summary>
    /// <param name="job">Its name.</param>
    /// <param name="jobId">
    /// Hangfire's id of the run. Hangfire repeats a run only where its process is gone, so the same id may take over at once.
    /// </param>
    public MaintenanceRun? TryBegin(string job, string jobId)
    {
        using var connection = storage.GetConnection();
        try
        {
            using var guard = connection.AcquireDistributedLock(KeyOf(job), Patience);
            var (state, now) = (Read(connection, job), Micros.Now(time));
            if (state.IsHeld(now) && state.JobId != jobId)
                return null;
            var begun = state with
            {
                Holder = Guid.NewGuid().ToString("N"), JobId = jobId, HeldUntil = now + Length, Process = _process, StartedAt = now,
                Outcome = MaintenanceOutcomes.Running, Error = null, IsTransient = false, DurationMs = null, Removed = null,
            };
            connection.SetRangeInHash(KeyOf(job), begun.ToHash());
            return new MaintenanceRun(this, job, begun, state.Holder is null ? null : state.Process, Length, time);
        }
        catch (DistributedLockTimeoutException)
        {
            return null; // another process begins it
        }
    }

    /// <summary>Notes the end of a run, unless another one has taken over.</summary>
    public void End(string job, MaintenanceState begun, string outcome, long? removed, Exception? fault) =>
        Change(job, begun, (state, now) => state with
        {
            Holder = null, JobId = null, HeldUntil = null, Outcome = outcome, Removed = removed,
            DurationMs = (long)(now - begun.StartedAt!.Value).TotalMilliseconds,
            Error = fault is null ? null : PoisonRules.Reason(fault),
            IsTransient = fault is not null && StorageFaults.IsTransient(fault),
            SucceededAt = outcome == MaintenanceOutcomes.Succeeded ? now : state.SucceededAt,
        });

    /// <summary>Holds the job for longer.</summary>
    /// <returns>False where another run has taken over.</returns>
    public bool Renew(string job, MaintenanceState begun) => Change(job, begun, (state, now) => state with { HeldUntil = now + Length });

    private bool Change(string job, MaintenanceState begun, Func<MaintenanceState, DateTime, MaintenanceState> change)
    {
        using var connection = storage.GetConnection();
        using var guard = connection.AcquireDistributedLock(KeyOf(job), Patience);
        var state = Read(connection, job);
        if (state.Holder != begun.Holder)
            return false;
        connection.SetRangeInHash(KeyOf(job), change(state, Micros.Now(time)).ToHash());
        return true;
    }

    private static MaintenanceState Read(IStorageConnection connection, string job) =>
        MaintenanceState.Read(connection.GetAllEntriesFromHash(KeyOf(job)));

    private static string KeyOf(string job) => $"maintenance:{job}";
}
