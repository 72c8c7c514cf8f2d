using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Quotas;

/// <summary>
/// Limits the waiting tasks of a tenant without a query for each submission: it counts them once a second at most, and adds what
/// this process has accepted since. What other processes accept in that time is not seen.
/// </summary>
public sealed partial class WaitingTaskQuota(
    TenantQuotas quotas, IQuotaStore store, QuotaMetrics metrics, DependencyHealth dependencies, TimeProvider time,
        ILogger<WaitingTaskQuota> logger)
{
    /// <summary>Shortest time between two counts of one tenant.</summary>
    internal static readonly TimeSpan CountEvery = TimeSpan.FromSeconds(1);

    /// <summary>A count never takes more than this share of the time: after one of a second the next comes ten seconds later.</summary>
    private const int Rest = 10;

    private static readonly TimeSpan Idle = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<string, WaitingTasks> _tenants = new(StringComparer.Ordinal);

    /// <summary>
    /// Reserves room for submissions; null where none of their tenants has a limit. Dispose it when they are committed or refused.
    /// </summary>
    /// <exception cref="QuotaExceededException">There is no room for all of them; none is reserved.</exception>
    internal ValueTask<WaitingReservation?> ReserveAsync<T>(IReadOnlyList<T> submissions, Func<T, string?> owner) =>
        quotas.Limits(QuotaResource.WaitingTasks) ? ReserveEachAsync(submissions, owner) : default;

    /// <summary>How many more tasks of a tenant may wait.</summary>
    public async Task<long> RoomAsync(string? tenant)
    {
        if (tenant is null || quotas.Of(tenant).WaitingTasks is not { } limit)
            return long.MaxValue;
        var tasks = _tenants.GetOrAdd(tenant, _ => new WaitingTasks());
        await CountIfDueAsync(tenant, tasks, limit);
        return Math.Max(0, limit - tasks.Used);
    }

    /// <summary>What a tenant with a limit uses, as of the last second.</summary>
    public async Task<long?> UsedAsync(string tenant) =>
        quotas.Of(tenant).WaitingTasks is { } limit ? limit - await RoomAsync(tenant) : null;

    /// <summary>Forgets tenants that have submitted nothing for a while.</summary>
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
                // A count of a moment ago will do where there is room; the next one runs beside.
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

    /// <summary>Nearly always one owner.</summary>
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
#pragma warning disable CA1031 // without a database nothing is accepted either; the last count goes on to be used
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

    [LoggerMessage(LogLevel.Warning, "Counting the waiting tasks of tenant {Tenant} failed; trying again")]
    private partial void LogFailed(Exception fault, string tenant);
}
