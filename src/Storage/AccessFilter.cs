using TaskQueue.Engine.Auth;

namespace TaskQueue.Storage;

/// <summary><see cref="Access.CanRead(string, string)"/> as a query filter.</summary>
internal static class AccessFilter
{
    /// <summary>Filters the rows that exist for the caller.</summary>
    public static IQueryable<T> Filter<T>(this Access access, IQueryable<T> rows)
        where T : class, IOwnedInQueue
    {
        if (access.Others.IsAll)
            return rows;
        if (access.Tenant is null || access.Own.IsNone)
            return Filter(access.Others, rows);
        var tenant = access.Tenant;
        if (access.Others.IsNone)
            return Filter(access.Own, rows.Where(row => row.Owner == tenant));
        var (all, names, prefixes, otherNames, otherPrefixes) =
            (access.Own.IsAll, access.Own.Names, access.Own.Prefixes, access.Others.Names, access.Others.Prefixes);
        return rows.Where(row => otherNames.Contains(row.Queue) || otherPrefixes.Any(prefix => row.Queue.StartsWith(prefix))
            || (row.Owner == tenant && (all || names.Contains(row.Queue) || prefixes.Any(prefix => row.Queue.StartsWith(prefix)))));
    }

    /// <summary>Filters the rows whose queue matches.</summary>
    private static IQueryable<T> Filter<T>(QueuePatterns queues, IQueryable<T> rows)
        where T : class, IOwnedInQueue
    {
        var (names, prefixes) = (queues.Names, queues.Prefixes);
        return queues.IsAll ? rows
            : prefixes.Count == 0 ? rows.Where(row => names.Contains(row.Queue))
            : rows.Where(row => names.Contains(row.Queue) || prefixes.Any(prefix => row.Queue.StartsWith(prefix)));
    }
}
