using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Quarantine;

namespace TaskQueue.Storage.Quarantine;

/// <summary>Table <c>quarantine</c>.</summary>
internal sealed class QuarantineStore(IDbContextFactory<TaskDbContext> databases, TimeProvider time) : IQuarantineStore
{
    private const int MaxSubject = 128, MaxTries = 3;

    public Task AddAsync(QuarantinedItem item, CancellationToken cancellationToken) => AddAsync(item, null, cancellationToken);

    /// <summary>Lists an item and parks its subject in the same transaction.</summary>
    /// <param name="item">The item.</param>
    /// <param name="park">Parks the subject; false if there is nothing left to quarantine, and then nothing is listed.</param>
    /// <param name="cancellationToken">Cancels the transaction.</param>
    /// <returns>The return value of <paramref name="park"/>, true without it.</returns>
    public async Task<bool> AddAsync(QuarantinedItem item, Func<TaskDbContext, Task<bool>>? park, CancellationToken cancellationToken)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                return await WriteAsync(item, park, cancellationToken);
            }
            catch (DbUpdateException) when (tries < MaxTries)
            {
                // Another process lists the same subject concurrently.
            }
        }
    }

    public async Task<List<QuarantinedItem>> ListAsync(Access access, string? kind, string? queue, long after, int max,
        CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var items = Visible(db, access).Where(q => q.Id > after);
        if (kind is not null)
            items = items.Where(q => q.Kind == kind);
        if (queue is not null)
            items = items.Where(q => q.Queue == queue);
        return await items.OrderBy(q => q.Id).Take(max).ToListAsync(cancellationToken);
    }

    public async Task<QuarantinedItem?> FindAsync(long id, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await Visible(db, access).SingleOrDefaultAsync(q => q.Id == id, cancellationToken);
    }

    public async Task RemoveAsync(QuarantinedItem item, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        await db.Quarantine.Where(q => q.Id == item.Id && q.Count == item.Count).ExecuteDeleteAsync(cancellationToken);
    }

    public async Task<Dictionary<string, long>> CountAsync()
    {
        await using var db = await databases.CreateDbContextAsync();
        return await db.Quarantine.AsNoTracking().GroupBy(q => q.Kind).Select(g => new { g.Key, Count = g.LongCount() })
            .ToDictionaryAsync(g => g.Key, g => g.Count);
    }

    public Task<int> RemoveMessagesAsync(DateTime before, int limit, CancellationToken cancellationToken) =>
        RemoveAsync(q => q.At < before, limit, cancellationToken);

    public Task<int> RemoveMessagesAsync(string? owner, int limit, CancellationToken cancellationToken) =>
        RemoveAsync(q => q.Owner == owner && !q.Subject.Contains(":sender:") && !q.Subject.Contains(":message:"), limit, cancellationToken);

    public async Task<(string? Owner, int Excess)?> FindCrowdAsync(int most, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        // Rows for a sender or an endpoint as a whole are few, and tell who sent the rest.
        var crowd = await db.Quarantine.Where(q => q.Kind == QuarantineKinds.Message && !q.Subject.Contains(":sender:")
            && !q.Subject.Contains(":message:")).GroupBy(q => q.Owner)
            .Select(g => new { Owner = g.Key, Count = g.Count() }).Where(g => g.Count > most).OrderBy(g => g.Owner)
                .FirstOrDefaultAsync(cancellationToken);
        return crowd is null ? null : (crowd.Owner, crowd.Count - most);
    }

    private static IQueryable<QuarantinedItem> Visible(TaskDbContext db, Access access) => access.Filter(db.Quarantine.AsNoTracking());

    private async Task<int> RemoveAsync(Expression<Func<QuarantinedItem, bool>> which, int limit, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var ids = await db.Quarantine.Where(q => q.Kind == QuarantineKinds.Message).Where(which).OrderBy(q => q.At).Select(q => q.Id)
            .Take(limit)
            .ToListAsync(cancellationToken);
        return ids.Count == 0 ? 0 : await db.Quarantine.Where(q => ids.Contains(q.Id)).ExecuteDeleteAsync(cancellationToken);
    }

    private async Task<bool> WriteAsync(QuarantinedItem item, Func<TaskDbContext, Task<bool>>? park, CancellationToken cancellationToken)
    {
        var (kind, subject, now) = (item.Kind, Fit(item.Subject), Micros.Now(time));
        var reason = PoisonRules.Fit(item.Reason);
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        if (park is not null && !await park(db))
            return false;
        // For a bus message the state is the entry itself, including its payload.
        var state = kind == QuarantineKinds.Message
            ? db.GetService<DataCipher>().Seal(new Place("quarantine.state", Guid.Empty, subject), item.State) : item.State;
        var renewed = await db.Quarantine.Where(q => q.Kind == kind && q.Subject == subject).ExecuteUpdateAsync(
            q => q.SetProperty(x => x.Count, x => x.Count + item.Count).SetProperty(x => x.Reason, reason).SetProperty(x => x.At, now)
                .SetProperty(x => x.State, x => state ?? x.State),
            cancellationToken);
        if (renewed == 0)
        {
            db.Quarantine.Add(new QuarantinedItem
            {
                Kind = kind, Subject = subject, Queue = TextRules.Clean(item.Queue), Owner = TextRules.Clean(item.Owner), Reason = reason,
                State = state, At = now, Count = item.Count,
            });
            await db.SaveChangesAsync(cancellationToken);
        }

        await transaction.CommitAsync(cancellationToken);
        return true;
    }

    private static string Fit(string subject) =>
        TextRules.Clean(subject) is { Length: > MaxSubject } longer ? longer[..MaxSubject] : TextRules.Clean(subject)!;
}
