using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using TaskQueue.Engine.Schedules;
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

    /// <summary>
    /// Schedules of a tenant. Their settings are one JSON text, with their payload in it: they are counted where they are, and not read.
    /// </summary>
    internal static async Task<long> SchedulesAsync(TaskDbContext db, string tenant)
    {
        var owner = $"\"{nameof(ScheduleSettings.Owner)}\":\"{JsonEncodedText.Encode(tenant)}\"";
        var place = db.Database.ProviderName switch
        {
            { } name when name.EndsWith("Sqlite", StringComparison.Ordinal) => "instr(settings, {0})",
            { } name when name.EndsWith("PostgreSQL", StringComparison.Ordinal) => "strpos(settings, {0})",
            _ => "charindex({0}, settings)",
        };
        var value = db.GetService<ISqlGenerationHelper>().DelimitIdentifier("Value");
        var sql = $"select cast(count(*) as bigint) as {value} from schedules where {place} > 0";
        return await db.Database.SqlQueryRaw<long>(sql, owner).SingleAsync();
    }
}
