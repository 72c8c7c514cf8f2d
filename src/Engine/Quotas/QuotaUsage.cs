namespace TaskQueue.Engine.Quotas;

/// <summary>A limit and its current usage.</summary>
/// <param name="Limit">Null is no limit.</param>
/// <param name="Used">Null if it is not counted, because there is no limit.</param>
public sealed record ResourceUsage(long? Limit, long? Used);

/// <summary>Reads the quota usage of tenants.</summary>
public sealed class QuotaUsage
{
    private readonly TenantQuotas _quotas;
    private readonly WaitingTaskQuota _waiting;
    private readonly FileQuota _files;
    private readonly StreamQuota _streams;
    private readonly RequestQuota _requests;
    private readonly IQuotaStore _store;

    internal QuotaUsage(TenantQuotas quotas, WaitingTaskQuota waiting, FileQuota files, StreamQuota streams, RequestQuota requests,
        IQuotaStore store) =>
        (_quotas, _waiting, _files, _streams, _requests, _store) = (quotas, waiting, files, streams, requests, store);

    /// <summary>
    /// The limits and usage of a tenant, by resource. Without a tenant, as with authentication disabled, there are neither.
    /// </summary>
    public async Task<IReadOnlyDictionary<QuotaResource, ResourceUsage>> ReadAsync(string? tenant, CancellationToken cancellationToken)
    {
        var limits = _quotas.Of(tenant);
        var usage = Enum.GetValues<QuotaResource>()
            .ToDictionary(resource => resource, resource => new ResourceUsage(limits[resource], null));
        if (tenant is null)
            return usage;
        Set(QuotaResource.WaitingTasks, await _waiting.UsedAsync(tenant));
        Set(QuotaResource.FileBytes, await _files.UsedAsync(tenant));
        Set(QuotaResource.Queues, await _store.CountQueuesAsync(tenant, cancellationToken));
        Set(QuotaResource.Schedules, await _store.CountSchedulesAsync(tenant, cancellationToken));
        Set(QuotaResource.Streams, _streams.Used(tenant));
        Set(QuotaResource.RequestsPerSecond, limits.RequestsPerSecond is { } rate
            ? await _requests.UsedAsync(tenant, rate, cancellationToken) : null);
        return usage;

        void Set(QuotaResource resource, long? used) => usage[resource] = usage[resource] with { Used = used };
    }
}
