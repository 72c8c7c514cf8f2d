using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Bulk;
using TaskQueue.Engine.Encryption;
using TaskQueue.Storage.Encryption;

namespace TaskQueue.Storage.Bulk;

/// <summary>Table <c>operations</c> for callers, and for retention.</summary>
internal sealed partial class BulkOperationStore(
    IDbContextFactory<TaskDbContext> databases, IOptions<BulkOperationOptions> options) : IBulkOperationStore
{
    public async Task<bool> AddAsync(BulkOperation operation, int maxUnfinished, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(operation);
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        if (await db.Operations.CountAsync(o => o.Owner == operation.Owner && o.FinishedAt == null, cancellationToken) >= maxUnfinished)
            return false;
        db.Operations.Add(operation);
        await db.SaveChangesAsync(cancellationToken);
        return true;
    }

    public async Task<List<BulkOperation>> ListAsync(Guid? before, int max, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var rows = Visible(db, access);
        if (before is { } last)
            rows = rows.Where(o => o.Id < last);
        var operations = await rows.OrderByDescending(o => o.Id).Take(max).ToListAsync(cancellationToken);
        operations.ForEach(o => Explain(db, o));
        return operations;
    }

    public async Task<BulkOperation?> FindAsync(Guid id, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        if (await Visible(db, access).SingleOrDefaultAsync(o => o.Id == id, cancellationToken) is not { } operation)
            return null;
        Explain(db, operation);
        return operation;
    }

    public async Task<bool> ChangeAsync(
        Guid id, IReadOnlyList<BulkState> from, BulkState to, DateTime now, string? undoAs, CancellationToken cancellationToken)
    {
        var isUndo = undoAs is not null;
        // A step that has begun is counted first.
        var (isEnd, at) = (to == BulkState.Cancelled, (DateTime?)now);
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Operations.Where(o => o.Id == id && from.Contains(o.State)).ExecuteUpdateAsync(
            o => o.SetProperty(x => x.State, to).SetProperty(x => x.FinishedAt, x => isEnd && !x.IsInStep ? at : null)
                .SetProperty(x => x.DueAt, now)
                .SetProperty(x => x.Faults, 0).SetProperty(x => x.IsUndo, x => x.IsUndo || isUndo)
                .SetProperty(x => x.Access, x => undoAs ?? x.Access), cancellationToken) == 1;
    }

    public async Task<int> RemoveAsync(DateTime before, int max, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var ids = await db.Operations.Where(o => o.FinishedAt < before).OrderBy(o => o.FinishedAt).Select(o => o.Id).Take(max)
            .ToListAsync(cancellationToken);
        return await RemoveAsync(db, ids, cancellationToken);
    }

    public async Task<int> RemoveExcessAsync(int most, int max, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var ended = db.Operations.Where(o => o.FinishedAt != null);
        var crowd = await ended.GroupBy(o => o.Owner).Select(g => new { Owner = g.Key, Count = g.Count() }).Where(g => g.Count > most)
            .OrderBy(g => g.Owner).FirstOrDefaultAsync(cancellationToken);
        if (crowd is null)
            return 0;
        var ids = await ended.Where(o => o.Owner == crowd.Owner).OrderBy(o => o.FinishedAt).Select(o => o.Id)
            .Take(Math.Min(max, crowd.Count - most)).ToListAsync(cancellationToken);
        return await RemoveAsync(db, ids, cancellationToken);
    }

    /// <summary>
    /// Each with its tasks, or not at all: an undo that has just begun needs them, and those of an operation that is gone would stay for
    /// ever.
    /// </summary>
    private static async Task<int> RemoveAsync(TaskDbContext db, List<Guid> ids, CancellationToken cancellationToken)
    {
        if (ids.Count == 0)
            return 0;
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        var removed = 0;
        foreach (var id in ids)
        {
            if (await db.Operations.Where(o => o.Id == id && o.FinishedAt != null).ExecuteDeleteAsync(cancellationToken) == 0)
                continue;
            removed++;
            await db.OperationTasks.Where(t => t.OperationId == id).ExecuteDeleteAsync(cancellationToken);
        }

        await transaction.CommitAsync(cancellationToken);
        return removed;
    }

    /// <summary>
    /// An operation exists for those who see the queue whose tasks it changes, and for its creator, whose key may cover some queues only.
    /// </summary>
    private static IQueryable<BulkOperation> Visible(TaskDbContext db, Access access)
    {
        var rows = db.Operations.AsNoTracking();
        var seen = access.Filter(rows);
        if (access.Others.IsAll || access.Credential is not { } credential)
            return seen;
        var tenant = access.Tenant;
        return rows.Where(o => (o.Credential == credential && o.Owner == tenant) || seen.Any(s => s.Id == o.Id));
    }

    /// <summary>A text that cannot be decrypted is replaced by the reason.</summary>
    private static void Explain(TaskDbContext db, BulkOperation operation)
    {
        try
        {
            db.Open(operation);
        }
        catch (UnreadableDataException unreadable)
        {
            (operation.Patch, operation.Error, operation.Problem) = (null, unreadable.Message, unreadable.Message);
        }
    }

    private static string? Sealed(TaskDbContext db, Guid id, string? error) =>
        error is null ? null : db.GetService<DataCipher>().Seal(Place.OperationError(id), error);
}
