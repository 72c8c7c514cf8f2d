using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace TaskQueue.Client;

/// <summary>How much is in an outbox.</summary>
/// <param name="Pending">Rows that wait to be sent, counted up to 100,000.</param>
/// <param name="OldestAge">Age of the oldest of them; zero if there is none.</param>
/// <param name="SetAside">Rows that are set aside, counted up to 100,000.</param>
public sealed record OutboxStatistics(int Pending, TimeSpan OldestAge, int SetAside);

/// <summary>Shows what is in an outbox, and decides on the tasks that were set aside. Thread-safe.</summary>
/// <typeparam name="TContext">The context of the outbox.</typeparam>
public sealed class OutboxAdmin<TContext>
    where TContext : DbContext
{
    private const int MaxCount = 100_000, MaxPage = 1000;

    private readonly IServiceScopeFactory _scopes;
    private readonly Signal _signal;
    private readonly TimeProvider _time;

    internal OutboxAdmin(IServiceScopeFactory scopes, Signal signal, TimeProvider time)
    {
        _scopes = scopes;
        _signal = signal;
        _time = time;
    }

    /// <summary>Counts the rows.</summary>
    public async Task<OutboxStatistics> GetStatisticsAsync(CancellationToken cancellationToken = default)
    {
        await using var scope = _scopes.CreateAsyncScope();
        var rows = OutboxStore.Rows(scope.ServiceProvider.GetRequiredService<TContext>());
        var pending = rows.Where(r => r.SetAsideAt == null).OrderBy(r => r.Sequence);
        var oldest = await pending.Select(r => (DateTime?)r.CreatedAt).FirstOrDefaultAsync(cancellationToken);
        var age = oldest is { } at ? _time.GetUtcNow().UtcDateTime - at : TimeSpan.Zero;
        return new OutboxStatistics(
            oldest is null ? 0 : await pending.Take(MaxCount).CountAsync(cancellationToken),
            age > TimeSpan.Zero ? age : TimeSpan.Zero,
            await rows.Where(r => r.SetAsideAt != null).OrderBy(r => r.Sequence).Take(MaxCount).CountAsync(cancellationToken));
    }

    /// <summary>Lists tasks that were set aside, in the order of their keys.</summary>
    /// <param name="max">Most rows: 1 to 1,000.</param>
    /// <param name="after">The last <see cref="OutboxTask.Sequence"/> of the page before; 0 for the first page.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public async Task<IReadOnlyList<OutboxTask>> ListSetAsideAsync(
        int max = 100, long after = 0, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(max, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(max, MaxPage);
        await using var scope = _scopes.CreateAsyncScope();
        return await OutboxStore.Rows(scope.ServiceProvider.GetRequiredService<TContext>())
            .Where(r => r.SetAsideAt != null && r.Sequence > after).OrderBy(r => r.Sequence).Take(max).ToListAsync(cancellationToken);
    }

    /// <summary>Sends tasks that were set aside again.</summary>
    /// <param name="taskIds">Up to 1,000 tasks; null: all that are set aside.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>Number of tasks.</returns>
    public async Task<int> RetryAsync(IReadOnlyCollection<Guid>? taskIds, CancellationToken cancellationToken = default)
    {
        await using var scope = _scopes.CreateAsyncScope();
        var count = await SetAside(scope, taskIds).ExecuteUpdateAsync(s => s.SetProperty(r => r.SetAsideAt, (DateTime?)null)
            .SetProperty(r => r.Attempts, 0).SetProperty(r => r.Error, (string?)null)
            .SetProperty(r => r.LockedUntil, (DateTime?)null).SetProperty(r => r.LockedBy, (string?)null), cancellationToken);
        _signal.Set();
        return count;
    }

    /// <summary>Deletes tasks that were set aside: they never run.</summary>
    /// <param name="taskIds">Up to 1,000 tasks; null: all that are set aside.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>Number of tasks.</returns>
    public async Task<int> DiscardAsync(IReadOnlyCollection<Guid>? taskIds, CancellationToken cancellationToken = default)
    {
        await using var scope = _scopes.CreateAsyncScope();
        return await SetAside(scope, taskIds).ExecuteDeleteAsync(cancellationToken);
    }

    private static IQueryable<OutboxTask> SetAside(AsyncServiceScope scope, IReadOnlyCollection<Guid>? taskIds)
    {
        var rows = OutboxStore.Rows(scope.ServiceProvider.GetRequiredService<TContext>()).Where(r => r.SetAsideAt != null);
        if (taskIds is null)
            return rows;
        if (taskIds.Count > MaxPage)
            throw new ArgumentException($"at most {MaxPage} tasks at a time; null means all that are set aside", nameof(taskIds));
        List<Guid> ids = [.. taskIds];
        return rows.Where(r => ids.Contains(r.TaskId));
    }
}
