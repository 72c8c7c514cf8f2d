using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Engine.Quarantine;

/// <summary>Table <c>quarantine</c>.</summary>
internal sealed partial class QuarantineStore(IDbContextFactory<TaskDbContext> databases, QuarantineMetrics metrics, TimeProvider time, ILogger<QuarantineStore> logger) : IQuarantine
{
    private const int MaxSubject = 128, MaxTries = 3;

    public Task<Exception?> AddAsync(QuarantinedItem item, CancellationToken cancellationToken) => TryAddAsync(item, null, cancellationToken);

    /// <summary>Lists an item, together with what takes its subject out of the loop's sight.</summary>
    /// <param name="item">What is set aside.</param>
    /// <param name="park">Runs in the same transaction; false where there is nothing to set aside any more, and nothing is listed then.</param>
    /// <param name="cancellationToken">Stops the try.</param>
    /// <returns>What went wrong; null on success.</returns>
    public async Task<Exception?> TryAddAsync(QuarantinedItem item, Func<TaskDbContext, Task<bool>>? park, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(item);
        for (var tries = 1; ; tries++)
        {
            try
            {
                if (await WriteAsync(item, park, cancellationToken))
                {
                    metrics.Added(item.Kind);
                    LogSetAside(item.Kind, item.Subject, item.Reason);
                }

                return null;
            }
            catch (DbUpdateException) when (tries < MaxTries)
            {
                // Another process lists the same subject at this moment.
            }
#pragma warning disable CA1031 // the loop goes on; it counts the failure
            catch (Exception fault)
#pragma warning restore CA1031
            {
                if (!cancellationToken.IsCancellationRequested)
                    LogNotSetAside(fault, item.Kind, item.Subject, item.Reason);
                return fault;
            }
        }
    }

    /// <summary>Removes refused messages that are older than a time.</summary>
    /// <returns>How many.</returns>
    public Task<int> RemoveMessagesAsync(DateTime before, int limit, CancellationToken cancellationToken) =>
        RemoveAsync(q => q.At < before, limit, cancellationToken);

    /// <summary>Removes the oldest refused messages of an owner.</summary>
    /// <returns>How many.</returns>
    public Task<int> RemoveMessagesAsync(string? owner, int limit, CancellationToken cancellationToken) =>
        RemoveAsync(q => q.Owner == owner && !q.Subject.Contains(":sender:") && !q.Subject.Contains(":message:"), limit, cancellationToken);

    /// <summary>An owner with more refused messages than so many, and how many more; null where nobody has.</summary>
    public async Task<(string? Owner, int Excess)?> FindCrowdAsync(int most, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        // Rows of a sender or an endpoint as a whole are few, and say who sent the rest.
        var crowd = await db.Quarantine.Where(q => q.Kind == QuarantineKinds.Message && !q.Subject.Contains(":sender:") && !q.Subject.Contains(":message:")).GroupBy(q => q.Owner)
            .Select(g => new { Owner = g.Key, Count = g.Count() }).Where(g => g.Count > most).OrderBy(g => g.Owner).FirstOrDefaultAsync(cancellationToken);
        return crowd is null ? null : (crowd.Owner, crowd.Count - most);
    }

    private async Task<int> RemoveAsync(Expression<Func<QuarantinedItem, bool>> which, int limit, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var ids = await db.Quarantine.Where(q => q.Kind == QuarantineKinds.Message).Where(which).OrderBy(q => q.At).Select(q => q.Id).Take(limit)
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
        // Of what came over the bus it is the entry itself, with its payload.
        var state = kind == QuarantineKinds.Message ? db.GetService<DataCipher>().Seal(new Place("quarantine.state", Guid.Empty, subject), item.State) : item.State;
        var renewed = await db.Quarantine.Where(q => q.Kind == kind && q.Subject == subject).ExecuteUpdateAsync(
            q => q.SetProperty(x => x.Count, x => x.Count + item.Count).SetProperty(x => x.Reason, reason).SetProperty(x => x.At, now)
                .SetProperty(x => x.State, x => state ?? x.State),
            cancellationToken);
        if (renewed == 0)
        {
            db.Quarantine.Add(new QuarantinedItem
            {
                Kind = kind, Subject = subject, Queue = TextRules.Clean(item.Queue), Owner = TextRules.Clean(item.Owner), Reason = reason, State = state, At = now, Count = item.Count,
            });
            await db.SaveChangesAsync(cancellationToken);
        }

        await transaction.CommitAsync(cancellationToken);
        return true;
    }

    private static string Fit(string subject) => TextRules.Clean(subject) is { Length: > MaxSubject } longer ? longer[..MaxSubject] : TextRules.Clean(subject)!;

    [LoggerMessage(LogLevel.Error, "Set aside {Kind} {Subject}, which cannot be processed: {Reason}")]
    private partial void LogSetAside(string kind, string subject, string reason);

    [LoggerMessage(LogLevel.Error, "Could not set aside {Kind} {Subject}, which cannot be processed ({Reason})")]
    private partial void LogNotSetAside(Exception fault, string kind, string subject, string reason);
}
