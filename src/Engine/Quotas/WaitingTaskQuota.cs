using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Quotas;

/// <summary>
/// Limits the waiting tasks of a tenant without a query for each submission: it counts them at most once a second and adds what this
/// process has accepted since. What other processes accept in that time is not seen.
/// </summary>
public sealed partial class WaitingTaskQuota(
    TenantQuotas quotas, IQuotaStore store, QuotaMetrics metrics, DependencyHealth dependencies, TimeProvider time,
    ILogger<WaitingTaskQuota> logger)
{
    /// <summary>Minimum time between two counts of a tenant.</summary>
    internal static readonly TimeSpan CountEvery = TimeSpan.FromSeconds(1);

    /// <summary>Counting takes at most a tenth of the time: a count of one second is followed by a pause of ten.</summary>
    private const int Rest = 10;

    private static readonly TimeSpan Idle = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<string, WaitingTasks> _tenants = new(StringComparer.Ordinal);

    /// <summary>
    /// Reserves room for submissions; null if none of their tenants has a limit. Dispose it when they are committed or refused.
    /// </summary>
    /// <exception cref="QuotaExceededException">Not all of them fit; none is reserved.</exception>
    internal ValueTask<WaitingReservation?> ReserveAsync<T>(IReadOnlyList<T> submissions, Func<T, string?> owner) =>
        quotas.Limits(QuotaResource.WaitingTasks) ? ReserveEachAsync(submissions, owner) : default;

    /// <summary>Number of further tasks of a tenant that may wait.</summary>
    public async Task<long> RoomAsync(string? tenant)
    {
        if (tenant is null || quotas.Of(tenant).WaitingTasks is not { } limit)
            return long.MaxValue;
        var tasks = _tenants.GetOrAdd(tenant, _ => new WaitingTasks());
        await CountIfDueAsync(tenant, tasks, limit);
        return Math.Max(0, limit - tasks.Used);
    }

    /// <summary>Usage of a tenant with a limit, up to a second old.</summary>
    public async Task<long?> UsedAsync(string tenant) =>
        quotas.Of(tenant).WaitingTasks is { } limit ? limit - await RoomAsync(tenant) : null;

    /// <summary>Evicts tenants without recent submissions.</summary>
    internal void Prune()
    {
        foreach (var (tenant, tasks) in _tenants)
        {
            if (tasks.IsIdle(time, Idle))
                _tenants.TryRemove(tenant, out _);
        }
    }

    private async ValueTask<WaitingReservation?> ReserveEachAsync<T>(IReadOnlyList<T> submissions, Func<T, string?> owner)
    {
        WaitingReservation? reservation = null;
        try
        {
            foreach (var (tenant, count) in CountByOwner(submissions, owner))
            {
                if (quotas.Of(tenant).WaitingTasks is not { } limit)
                    continue;
                var tasks = _tenants.GetOrAdd(tenant, _ => new WaitingTasks());
                var counting = CountIfDueAsync(tenant, tasks, limit);
                // A recent count suffices while there is room; the next one runs in the background.
                if (!tasks.IsKnown(time) || tasks.Used + count > limit)
                    await counting;
                if (!tasks.TryReserve(count, limit, time))
                    throw metrics.Refused(new QuotaExceededException(QuotaResource.WaitingTasks, tenant, limit, tasks.Used, CountEvery));
                (reservation ??= new WaitingReservation()).Add(tenant, tasks, count);
            }

            return reservation;
        }
        catch
        {
            reservation?.Dispose();
            throw;
        }
    }

    /// <summary>Groups by owner; nearly always there is only one.</summary>
    private static IEnumerable<(string Tenant, int Count)> CountByOwner<T>(IReadOnlyList<T> submissions, Func<T, string?> owner) =>
        submissions.Count == 1
            ? owner(submissions[0]) is { } one ? [(one, 1)] : []
            : submissions.Select(owner).OfType<string>().CountBy(o => o, StringComparer.Ordinal).Select(c => (c.Key, c.Value));

    private Task CountIfDueAsync(string tenant, WaitingTasks tasks, long limit) =>
        tasks.CountIfDue(time, () => CountAsync(tenant, tasks, limit));

    private async Task CountAsync(string tenant, WaitingTasks tasks, long limit)
    {
        var start = time.GetTimestamp();
        try
        {
            var committed = tasks.Committed;
            var count = await store.CountWaitingTasksAsync(tenant, (int)Math.Min(limit, int.MaxValue - 1) + 1);
            tasks.Counted(count, committed, time.GetTimestamp());
        }
#pragma warning disable CA1031 // without a database nothing is accepted anyway; the last count stays in use
        catch (Exception fault)
#pragma warning restore CA1031
        {
            if (!dependencies.TryHandle(fault))
                LogFailed(fault, tenant);
        }
        finally
        {
            var took = time.GetElapsedTime(start);
            tasks.NotBefore(time.GetTimestamp(), took * Rest > CountEvery ? took * Rest : CountEvery, time);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Counting the waiting tasks of tenant {Tenant} failed; retrying")]
    private partial void LogFailed(Exception fault, string tenant);
}
