using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Engine.Audit;

/// <summary>Which records are wanted; null is any.</summary>
public sealed record AuditFilter
{
    /// <summary>Name of the caller.</summary>
    public string? Actor { get; init; }

    /// <summary>Tenant of the caller.</summary>
    public string? Tenant { get; init; }

    /// <summary>Beginning of the action, such as <c>queue.</c>.</summary>
    public string? Action { get; init; }

    /// <summary>The target.</summary>
    public string? Target { get; init; }

    /// <summary>Beginning of the result, such as <c>refused</c>.</summary>
    public string? Result { get; init; }

    /// <summary>Address of the caller.</summary>
    public string? Address { get; init; }

    /// <summary>Not earlier, UTC.</summary>
    public DateTime? From { get; init; }

    /// <summary>Earlier, UTC.</summary>
    public DateTime? To { get; init; }
}

/// <summary>Reads and removes audit records.</summary>
public sealed class AuditQueries(IDbContextFactory<TaskDbContext> databases)
{
    /// <summary>A page, newest first.</summary>
    /// <param name="filter">Which.</param>
    /// <param name="after">Id of the last record of the page before; null is the first page.</param>
    /// <param name="limit">Length of the page.</param>
    /// <param name="cancellationToken">Stops the query.</param>
    public async Task<List<AuditRecord>> ListAsync(AuditFilter filter, long? after, int limit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(filter);
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var rows = db.Audit.AsNoTracking();
        if (filter.Actor is { } actor)
            rows = rows.Where(r => r.Actor == actor);
        if (filter.Tenant is { } tenant)
            rows = rows.Where(r => r.Tenant == tenant);
        if (filter.Action is { } action)
            rows = rows.Where(r => r.Action.StartsWith(action));
        if (filter.Target is { } target)
            rows = rows.Where(r => r.Target == target);
        if (filter.Result is { } result)
            rows = rows.Where(r => r.Result.StartsWith(result));
        if (filter.Address is { } address)
            rows = rows.Where(r => r.Address == address);
        if (filter.From is { } from)
            rows = rows.Where(r => r.At >= from);
        if (filter.To is { } to)
            rows = rows.Where(r => r.At < to);
        if (after is { } id)
            rows = rows.Where(r => r.Id < id);
        return await rows.OrderByDescending(r => r.Id).Take(limit).ToListAsync(cancellationToken);
    }

    /// <summary>Removes records older than a time.</summary>
    /// <param name="before">UTC.</param>
    /// <param name="limit">At most this many.</param>
    /// <returns>Number of records removed.</returns>
    public async Task<int> RemoveAsync(DateTime before, int limit)
    {
        await using var db = await databases.CreateDbContextAsync();
        var ids = await db.Audit.Where(r => r.At < before).OrderBy(r => r.At).Select(r => r.Id).Take(limit).ToListAsync();
        return ids.Count == 0 ? 0 : await db.Audit.Where(r => ids.Contains(r.Id)).ExecuteDeleteAsync();
    }
}
