using System.Globalization;
using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Events;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Engine.Quarantine;

/// <summary>Callbacks that cannot be sent or noted. One that is set aside is given up without an end, so that it is kept.</summary>
internal sealed class CallbackQuarantine(IDbContextFactory<TaskDbContext> databases, QuarantineStore quarantine, PostCommitNotifier postCommit, TimeProvider time) : IQuarantineKind
{
    public IReadOnlyCollection<string> Kinds { get; } = [QuarantineKinds.Callback];

    /// <summary>Sets a callback aside.</summary>
    /// <returns>Why it could not be, or null.</returns>
    public async Task<Exception?> SetAsideAsync(Callback callback, Exception reason, CancellationToken cancellationToken)
    {
        var item = new QuarantinedItem
        {
            Kind = QuarantineKinds.Callback, Subject = callback.Id.ToString(CultureInfo.InvariantCulture), Owner = callback.Owner,
            Reason = $"to be sent to {callback.Url}: {PoisonRules.Reason(reason)}",
        };
        return await quarantine.TryAddAsync(item, async db =>
        {
            var (id, attempts) = (callback.Id, callback.Attempts); // another process may have taken it since
            var subject = callback.SubjectId;
            var task = await db.Tasks.Where(t => t.CorrelationId == subject).Select(t => new { t.Queue, t.Owner }).FirstOrDefaultAsync(cancellationToken)
                ?? await db.Batches.Where(b => b.CorrelationId == subject).Select(b => new { b.Queue, b.Owner }).FirstOrDefaultAsync(cancellationToken);
            (item.Queue, item.Owner) = (task?.Queue, task?.Owner ?? item.Owner);
            return await db.Callbacks.Where(c => c.Id == id && c.State == CallbackState.Waiting && c.Attempts == attempts)
                .ExecuteUpdateAsync(c => c.SetProperty(x => x.State, CallbackState.Failed).SetProperty(x => x.FinishedAt, (DateTime?)null), cancellationToken) > 0;
        }, cancellationToken);
    }

    /// <summary>Sends it again, with a log that begins anew.</summary>
    public async Task<string?> ReleaseAsync(QuarantinedItem item, CancellationToken cancellationToken)
    {
        var (id, now) = (long.Parse(item.Subject, CultureInfo.InvariantCulture), Micros.Now(time));
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var changed = await db.Callbacks.Where(c => c.Id == id && c.State == CallbackState.Failed).ExecuteUpdateAsync(
            c => c.SetProperty(x => x.State, CallbackState.Waiting).SetProperty(x => x.DueAt, now).SetProperty(x => x.Log, "[]").SetProperty(x => x.FinishedAt, (DateTime?)null), cancellationToken);
        postCommit.Callbacks.Set();
        return changed > 0 ? null : $"callback {item.Subject} was sent, or is gone: drop the item";
    }

    /// <summary>It counts as failed from now on, and is removed like others.</summary>
    public async Task<string?> DropAsync(QuarantinedItem item, CancellationToken cancellationToken)
    {
        var (id, now) = (long.Parse(item.Subject, CultureInfo.InvariantCulture), Micros.Now(time));
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        await db.Callbacks.Where(c => c.Id == id && c.State == CallbackState.Failed && c.FinishedAt == null)
            .ExecuteUpdateAsync(c => c.SetProperty(x => x.FinishedAt, now), cancellationToken);
        return null;
    }
}
