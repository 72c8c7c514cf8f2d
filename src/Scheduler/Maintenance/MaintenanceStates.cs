using Hangfire;
using Hangfire.Storage;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Quarantine;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>
/// The state and the lease of each job, in a hash in Hangfire's storage. A distributed lock guards each change; it is held only
/// briefly, because not every storage renews locks or frees those of a killed process.
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

    /// <summary>Acquires a job for a run in this process; null if another run holds it.</summary>
    /// <param name="job">Name of the job.</param>
    /// <param name="jobId">
    /// Hangfire's id of the run. Hangfire repeats a run only when its process is gone, so the same id may take over immediately.
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
            Save(connection, job, begun);
            return new MaintenanceRun(this, job, begun, state.Holder is null ? null : state.Process, Length, time);
        }
        catch (DistributedLockTimeoutException)
        {
            return null; // another process is starting it
        }
    }

    /// <summary>Records the end of a run, unless another run has taken over.</summary>
    public void End(string job, MaintenanceState begun, string outcome, long? removed, Exception? fault) =>
        Change(job, begun, (state, now) => state with
        {
            Holder = null, JobId = null, HeldUntil = null, Outcome = outcome, Removed = removed,
            DurationMs = (long)(now - begun.StartedAt!.Value).TotalMilliseconds,
            Error = fault is null ? null : PoisonRules.Reason(fault),
            IsTransient = fault is not null && StorageFaults.IsTransient(fault),
            SucceededAt = outcome == MaintenanceOutcomes.Succeeded ? now : state.SucceededAt,
        });

    /// <summary>Renews the lease on a job.</summary>
    /// <returns>False if another run has taken over.</returns>
    public bool Renew(string job, MaintenanceState begun) => Change(job, begun, (state, now) => state with { HeldUntil = now + Length });

    private bool Change(string job, MaintenanceState begun, Func<MaintenanceState, DateTime, MaintenanceState> change)
    {
        using var connection = storage.GetConnection();
        using var guard = connection.AcquireDistributedLock(KeyOf(job), Patience);
        var state = Read(connection, job);
        if (state.Holder != begun.Holder)
            return false;
        Save(connection, job, change(state, Micros.Now(time)));
        return true;
    }

    private static MaintenanceState Read(IStorageConnection connection, string job) =>
        MaintenanceState.Read(connection.GetAllEntriesFromHash(KeyOf(job)));

    /// <summary>
    /// Not with the connection's own SetRangeInHash: its serializable transactions of different jobs refuse each other, again and again.
    /// </summary>
    private static void Save(IStorageConnection connection, string job, MaintenanceState state)
    {
        using var transaction = connection.CreateWriteTransaction();
        transaction.SetRangeInHash(KeyOf(job), state.ToHash());
        transaction.Commit();
    }

    private static string KeyOf(string job) => $"maintenance:{job}";
}
