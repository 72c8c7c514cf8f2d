using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Quarantine;

/// <summary>
/// Tasks that a sweep cannot process. The time that the sweep goes by is taken away, so that the sweep does not see the task, and kept
/// in the item.
/// </summary>
internal sealed class TaskQuarantine(IDbContextFactory<TaskDbContext> databases, QuarantineStore quarantine, TaskService taskService, TimeProvider time) : IQuarantineKind
{
    /// <summary>No worker gets a task that is due then, and no scheduler a batch that is held until then.</summary>
    internal static readonly DateTime Never = new(9999, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    public IReadOnlyCollection<string> Kinds { get; } = [QuarantineKinds.Lease, QuarantineKinds.Dispatch, QuarantineKinds.Expiry];

    /// <summary>Sets a task aside that a sweep failed to process. Where its row cannot even be changed it is listed without.</summary>
    /// <returns>Whether the sweep does not see it any more; and why it could not be listed.</returns>
    public async Task<(bool IsParked, Exception? Fault)> SetAsideAsync(Sweep sweep, Guid id, Exception reason, CancellationToken cancellationToken)
    {
        var item = new QuarantinedItem { Kind = KindOf(sweep), Subject = id.ToString(), Reason = PoisonRules.Reason(reason) };
        if (await quarantine.TryAddAsync(item, db => ParkAsync(db, sweep, id, item, cancellationToken), cancellationToken) is null)
            return (true, null);
        item.State = null;
        return (false, await quarantine.TryAddAsync(item, null, cancellationToken));
    }

    public async Task<string?> ReleaseAsync(QuarantinedItem item, CancellationToken cancellationToken)
    {
        if (item.State is null)
            return null; // its row was never changed: the sweep tries again
        var (id, now) = (Guid.Parse(item.Subject), Micros.Now(time));
        var times = JsonSerializer.Deserialize(item.State, ParkedJson.Default.ParkedTimes)!;
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var task = db.Tasks.Where(t => t.CorrelationId == id);
        var waiting = task.Where(t => t.State == TaskStates.Pending || t.State == TaskStates.Retrying);
        var changed = item.Kind switch
        {
            QuarantineKinds.Lease => await task.Where(t => t.State == TaskStates.Running && t.LeaseUntil == null)
                .ExecuteUpdateAsync(t => t.SetProperty(x => x.LeaseUntil, now), cancellationToken),
            QuarantineKinds.Dispatch => await waiting.Where(t => t.DispatchAt == null).ExecuteUpdateAsync(t => t.SetProperty(x => x.DispatchAt, now), cancellationToken),
            _ => await waiting.Where(t => t.ExpiresAt == null).ExecuteUpdateAsync(
                t => t.SetProperty(x => x.ExpiresAt, times.ExpiresAt).SetProperty(x => x.DueAt, times.DueAt ?? now).SetProperty(x => x.DispatchAt, times.DispatchAt), cancellationToken),
        };
        return changed > 0 ? null : $"task {item.Subject} has moved on, or is gone: drop the item";
    }

    public async Task<string?> DropAsync(QuarantinedItem item, CancellationToken cancellationToken)
    {
        var id = Guid.Parse(item.Subject);
        // What recovered meanwhile, such as by a late heartbeat, is nobody's to give up.
        if (!await IsParkedAsync(item, id, cancellationToken))
            return null;
        try
        {
            await taskService.CancelAsync(id, Access.All);
            return null;
        }
        catch (Exception fault) when (PoisonRules.IsOfRow(fault))
        {
            // Without what the machine reads of it, it may be cancelled all the same.
        }

        try
        {
            await using var db = await databases.CreateDbContextAsync(cancellationToken);
            var error = $"given up by an operator: {item.Reason}";
            await db.Tasks.Where(t => t.CorrelationId == id).ExecuteUpdateAsync(
                t => t.SetProperty(x => x.Ending, (string?)null).SetProperty(x => x.Retry, (string?)null).SetProperty(x => x.Result, (string?)null)
                    .SetProperty(x => x.Progress, (string?)null).SetProperty(x => x.Error, error),
                cancellationToken);
            await taskService.CancelAsync(id, Access.All);
            return null;
        }
        catch (Exception fault) when (PoisonRules.IsOfRow(fault))
        {
            return $"task {item.Subject} cannot be cancelled either ({PoisonRules.Reason(fault)}): mend its row by hand";
        }
    }

    private async Task<bool> IsParkedAsync(QuarantinedItem item, Guid id, CancellationToken cancellationToken)
    {
        if (item.State is null)
            return false;
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var task = db.Tasks.Where(t => t.CorrelationId == id);
        var waiting = task.Where(t => t.State == TaskStates.Pending || t.State == TaskStates.Retrying);
        return await (item.Kind switch
        {
            QuarantineKinds.Lease => task.Where(t => t.State == TaskStates.Running && t.LeaseUntil == null),
            QuarantineKinds.Dispatch => waiting.Where(t => t.DispatchAt == null),
            _ => waiting.Where(t => t.ExpiresAt == null && t.DueAt == Never),
        }).AnyAsync(cancellationToken);
    }

    private static string KindOf(Sweep sweep) => sweep switch
    {
        Sweep.Lapsed => QuarantineKinds.Lease,
        Sweep.Dispatch => QuarantineKinds.Dispatch,
        _ => QuarantineKinds.Expiry,
    };

    private static async Task<bool> ParkAsync(TaskDbContext db, Sweep sweep, Guid id, QuarantinedItem item, CancellationToken cancellationToken)
    {
        var task = db.Tasks.Where(t => t.CorrelationId == id);
        if (await task.Select(t => new { t.Queue, t.Owner, t.LeaseUntil, t.DispatchAt, t.ExpiresAt, t.DueAt }).SingleOrDefaultAsync(cancellationToken) is not { } now)
            return false;
        (item.Queue, item.Owner) = (now.Queue, now.Owner);
        item.State = JsonSerializer.Serialize(new ParkedTimes(now.LeaseUntil, now.DispatchAt, now.ExpiresAt, now.DueAt), ParkedJson.Default.ParkedTimes);
        return await (sweep switch
        {
            Sweep.Lapsed => task.Where(t => t.State == TaskStates.Running && t.LeaseUntil != null && t.LeaseUntil == now.LeaseUntil)
                .ExecuteUpdateAsync(t => t.SetProperty(x => x.LeaseUntil, (DateTime?)null), cancellationToken),
            Sweep.Dispatch => task.Where(t => t.DispatchAt != null && t.DispatchAt == now.DispatchAt)
                .ExecuteUpdateAsync(t => t.SetProperty(x => x.DispatchAt, (DateTime?)null), cancellationToken),
            // Nobody must start it once it no longer expires.
            _ => task.Where(t => (t.State == TaskStates.Pending || t.State == TaskStates.Retrying) && t.ExpiresAt != null && t.ExpiresAt == now.ExpiresAt)
                .ExecuteUpdateAsync(t => t.SetProperty(x => x.ExpiresAt, (DateTime?)null).SetProperty(x => x.DueAt, Never).SetProperty(x => x.DispatchAt, (DateTime?)null), cancellationToken),
        }) > 0;
    }
}

/// <summary>The times of a task that was set aside.</summary>
internal sealed record ParkedTimes(DateTime? LeaseUntil, DateTime? DispatchAt, DateTime? ExpiresAt, DateTime? DueAt);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ParkedTimes))]
internal sealed partial class ParkedJson : JsonSerializerContext;
