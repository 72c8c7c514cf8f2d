using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using TaskQueue.Engine.Schedules;

namespace TaskQueue.Storage.Quotas;

/// <summary>Queries that count what a tenant owns; to stay valid, counts need the caller's transaction.</summary>
internal static class TenantCounts
{
    /// <summary>The waiting tasks of an owner, at most <paramref name="max"/>.</summary>
    public static IQueryable<int> Waiting(TaskDbContext db, string owner, int max) =>
        db.Ready.Where(t => t.Owner == owner).Select(_ => 1).Take(max);

    /// <summary>Queues that a tenant has declared.</summary>
    public static Task<long> QueuesAsync(TaskDbContext db, string tenant, CancellationToken cancellationToken = default) =>
        db.Queues.LongCountAsync(q => q.Owner == tenant, cancellationToken);

    /// <summary>
    /// Counts the schedules of a tenant in the database, without reading their settings: these are one JSON text that includes the payload.
    /// </summary>
    public static async Task<long> SchedulesAsync(TaskDbContext db, string tenant, CancellationToken cancellationToken = default)
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
        return await db.Database.SqlQueryRaw<long>(sql, owner).SingleAsync(cancellationToken);
    }
}
