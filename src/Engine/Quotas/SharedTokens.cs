using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Quotas;

/// <summary>
/// The token bucket of a tenant's requests, one row of <c>tenant_usage</c> for all processes. Where the database does not answer,
/// each process grants its share of the limit by itself. A SQLite file serves one process, which needs no row.
/// </summary>
internal sealed class SharedTokens(string tenant, IDbContextFactory<TaskDbContext> databases, DatabaseAddress address, ProcessPresence presence, DependencyHealth dependencies, TimeProvider time)
{
    public const string Resource = "requests";

    private const int MaxTries = 10;

    /// <summary>Requests wait for the database no longer than this.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);

    /// <summary>After a failure the database is left alone for so long.</summary>
    private static readonly TimeSpan Spare = TimeSpan.FromSeconds(2);

    private long _spent; // of the local bucket
    private long? _failedAt;

    /// <summary>Leases tokens.</summary>
    public async Task<TokenGrant> LeaseAsync(long limit, long wanted)
    {
        if (address.Provider == DatabaseProvider.Sqlite)
            return Local(limit, wanted);
        if (_failedAt is { } failed && time.GetElapsedTime(failed) < Spare)
            return Local(Share(limit), wanted);
        using var patience = new CancellationTokenSource(Patience, time);
        try
        {
            var grant = await SharedAsync(limit, wanted, patience.Token);
            _failedAt = null;
            return grant;
        }
#pragma warning disable CA1031 // requests go on with the local share, whatever it is; what needs the database says so itself
        catch (Exception fault)
#pragma warning restore CA1031
        {
            dependencies.TryHandle(fault);
            _failedAt = time.GetTimestamp();
            return Local(Share(limit), wanted);
        }
    }

    /// <summary>Tokens that all processes together have leased and that are not yet back.</summary>
    public static async Task<long> UsedAsync(TaskDbContext db, string tenant, long limit, CancellationToken cancellationToken) =>
        await ReadAsync(db, tenant, cancellationToken) is { } row ? TokenBucket.Used(row.Spent, row.Now, limit) : 0;

    /// <summary>The same of the local bucket.</summary>
    public long UsedHere(long limit) => TokenBucket.Used(Volatile.Read(ref _spent), TokenBucket.Nanoseconds(time.GetUtcNow().UtcDateTime), limit);

    private long Share(long limit) => Math.Max(1, limit / presence.Processes);

    private TokenGrant Local(long limit, long wanted)
    {
        var (grant, spent) = TokenBucket.Take(_spent, TokenBucket.Nanoseconds(time.GetUtcNow().UtcDateTime), limit, wanted);
        Volatile.Write(ref _spent, spent); // one lease at a time
        return grant;
    }

    private async Task<TokenGrant> SharedAsync(long limit, long wanted, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        for (var tries = 0; tries < MaxTries; tries++)
        {
            if (await ReadAsync(db, tenant, cancellationToken) is not { } row)
            {
                await AddAsync(cancellationToken);
                continue;
            }

            var (grant, spent) = TokenBucket.Take(row.Spent, row.Now, limit, wanted);
            if (grant.Tokens == 0)
                return grant;
            var taken = await Row(db, tenant).Where(u => u.Amount == row.Spent)
                .ExecuteUpdateAsync(u => u.SetProperty(x => x.Amount, spent).SetProperty(x => x.UpdatedAt, row.At), cancellationToken);
            if (taken == 1)
                return grant;
        }

        return new TokenGrant(0, TimeSpan.Zero); // other processes were faster each time; the next lease comes soon
    }

    private async Task AddAsync(CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        db.TenantUsage.Add(new TenantUsage { Tenant = tenant, Resource = Resource, Process = "", UpdatedAt = Micros.Now(time) });
        try
        {
            await db.SaveChangesAsync(cancellationToken);
        }
        catch (DbUpdateException fault) when (fault.InnerException is DbException { IsTransient: false })
        {
            // Another process has added it.
        }
    }

    /// <summary>Processes' clocks differ; the database's is one.</summary>
    private static async Task<(long Spent, long Now, DateTime At)?> ReadAsync(TaskDbContext db, string tenant, CancellationToken cancellationToken)
    {
#pragma warning disable RS0030 // becomes the database's now()
        var row = await Row(db, tenant).Select(u => new { u.Amount, DateTime.UtcNow }).SingleOrDefaultAsync(cancellationToken);
#pragma warning restore RS0030
        return row is null ? null : (row.Amount, TokenBucket.Nanoseconds(row.UtcNow), row.UtcNow);
    }

    private static IQueryable<TenantUsage> Row(TaskDbContext db, string tenant) =>
        db.TenantUsage.AsNoTracking().Where(u => u.Tenant == tenant && u.Resource == Resource && u.Process == "");
}
