using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Engine.Quotas;

/// <summary>A limit and what is used of it.</summary>
/// <param name="Limit">Null is no limit.</param>
/// <param name="Used">Null where it is not counted, because there is no limit.</param>
public sealed record ResourceUsage(long? Limit, long? Used);

/// <summary>What tenants use.</summary>
public sealed class QuotaUsage
{
    private readonly TenantQuotas _quotas;
    private readonly WaitingTaskQuota _waiting;
    private readonly FileQuota _files;
    private readonly StreamQuota _streams;
    private readonly RequestQuota _requests;
    private readonly IDbContextFactory<TaskDbContext> _databases;
    private readonly DatabaseAddress _address;

    internal QuotaUsage(
        TenantQuotas quotas, WaitingTaskQuota waiting, FileQuota files, StreamQuota streams, RequestQuota requests, IDbContextFactory<TaskDbContext> databases, DatabaseAddress address) =>
        (_quotas, _waiting, _files, _streams, _requests, _databases, _address) = (quotas, waiting, files, streams, requests, databases, address);

    /// <summary>The limits and the use of a tenant, by resource. Nobody, where authentication is off, has neither.</summary>
    public async Task<IReadOnlyDictionary<QuotaResource, ResourceUsage>> ReadAsync(string? tenant, CancellationToken cancellationToken)
    {
        var limits = _quotas.Of(tenant);
        var usage = Enum.GetValues<QuotaResource>().ToDictionary(resource => resource, resource => new ResourceUsage(limits[resource], null));
        if (tenant is null)
            return usage;
        await using var db = await _databases.CreateDbContextAsync(cancellationToken);
        Set(QuotaResource.WaitingTasks, await _waiting.UsedAsync(tenant));
        Set(QuotaResource.FileBytes, await _files.UsedAsync(tenant));
        Set(QuotaResource.Queues, await QueuesAsync(db, tenant));
        Set(QuotaResource.Schedules, await SchedulesAsync(db, tenant));
        Set(QuotaResource.Streams, _streams.Used(tenant));
        Set(QuotaResource.RequestsPerSecond, limits.RequestsPerSecond is { } rate ? await _requests.UsedAsync(db, _address, tenant, rate, cancellationToken) : null);
        return usage;

        void Set(QuotaResource resource, long? used) => usage[resource] = usage[resource] with { Used = used };
    }

    /// <summary>Queues that a tenant has declared.</summary>
    internal static Task<long> QueuesAsync(TaskDbContext db, string tenant) => db.Queues.LongCountAsync(q => q.Owner == tenant);

    /// <summary>Schedules of a tenant; their settings are one text.</summary>
    internal static async Task<long> SchedulesAsync(TaskDbContext db, string tenant) =>
        (await db.Schedules.AsNoTracking().Select(s => s.Settings).ToListAsync()).LongCount(settings => settings.Owner == tenant);
}
