using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Encryption;

/// <summary>
/// Decrypts every entity that EF Core reads, and encrypts those that it writes for as long as they are written. The cipher is that
/// of the application, because interceptors of one instance share EF Core's services.
/// </summary>
internal sealed class EncryptedEntities : SaveChangesInterceptor, IMaterializationInterceptor
{
    public static readonly EncryptedEntities Instance = new();

    private readonly ConditionalWeakTable<DbContext, List<Action>> _written = [];

    public object InitializedInstance(MaterializationInterceptionData materializationData, object entity)
    {
        switch (entity)
        {
            case TaskState task when Array.Exists(TaskCipher.All, text => DataCipher.IsMarked(text.Get(task))):
                new TaskCipher(CipherOf(materializationData.Context)).Open(task);
                break;
            case TaskEvent taskEvent when DataCipher.IsMarked(taskEvent.Error):
                new TaskCipher(CipherOf(materializationData.Context)).Open(taskEvent);
                break;
            case BatchBadLine line when DataCipher.IsMarked(line.Message) || DataCipher.IsMarked(line.CustomId):
                BadLineCipher.Open(CipherOf(materializationData.Context), line);
                break;
            case Callback or ScheduleRecord or BatchState:
                foreach (var text in Texts(entity))
                {
                    if (DataCipher.IsMarked(text.Value))
                        text.Set(CipherOf(materializationData.Context).Open(text.Place, text.Value));
                }

                break;
        }

        return entity;
    }

    public override InterceptionResult<int> SavingChanges(DbContextEventData eventData, InterceptionResult<int> result)
    {
        Seal(eventData.Context!);
        return result;
    }

    public override ValueTask<InterceptionResult<int>> SavingChangesAsync(DbContextEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default) =>
        new(SavingChanges(eventData, result));

    public override int SavedChanges(SaveChangesCompletedEventData eventData, int result)
    {
        Restore(eventData.Context!);
        return result;
    }

    public override ValueTask<int> SavedChangesAsync(SaveChangesCompletedEventData eventData, int result, CancellationToken cancellationToken = default) =>
        new(SavedChanges(eventData, result));

    public override void SaveChangesFailed(DbContextErrorEventData eventData) => Restore(eventData.Context!);

    public override Task SaveChangesFailedAsync(DbContextErrorEventData eventData, CancellationToken cancellationToken = default)
    {
        SaveChangesFailed(eventData);
        return Task.CompletedTask;
    }

    private void Seal(DbContext context)
    {
        foreach (var entry in context.ChangeTracker.Entries().Where(e => e.State is EntityState.Added or EntityState.Modified))
        {
            foreach (var text in Texts(entry.Entity))
            {
                var property = entry.Property(text.Property);
                if (!CipherOf(context).Changes(text.Value) || (entry.State == EntityState.Modified && !property.IsModified))
                    continue;
                var plain = property.CurrentValue;
                text.Set(CipherOf(context).Seal(text.Place, text.Value));
                _written.GetOrCreateValue(context).Add(() => Restore(property, plain));
            }
        }
    }

    private void Restore(DbContext context)
    {
        if (!_written.TryGetValue(context, out var written))
            return;
        _written.Remove(context);
        written.Reverse(); // two texts may share a property
        written.ForEach(restore => restore());
    }

    private static void Restore(PropertyEntry property, object? plain)
    {
        property.CurrentValue = plain;
        if (property.EntityEntry.State is EntityState.Unchanged or EntityState.Modified)
        {
            property.OriginalValue = plain;
            property.IsModified = false;
        }
    }

    private static DataCipher CipherOf(DbContext context) => context.GetService<DataCipher>();

    private static IEnumerable<StoredText> Texts(object entity)
    {
        switch (entity)
        {
            case Callback callback:
                yield return new(nameof(Callback.Body), Place.Result(callback.SubjectId), callback.Body, v => callback.Body = v!);
                break;
            case BatchState batch:
                yield return new(nameof(BatchState.Metadata), new("batches.metadata", batch.CorrelationId), batch.Metadata, v => batch.Metadata = v);
                yield return new(nameof(BatchState.Errors), new("batches.errors", batch.CorrelationId), batch.Errors, v => batch.Errors = v);
                break;
            case ScheduleRecord schedule:
                var name = $"{schedule.Queue}/{schedule.Name}";
                yield return new(nameof(ScheduleRecord.Settings), new("schedules.payload", Guid.Empty, name), schedule.Settings.Payload,
                    v => schedule.Settings = schedule.Settings with { Payload = v! });
                yield return new(nameof(ScheduleRecord.Settings), new("schedules.headers", Guid.Empty, name), schedule.Settings.Headers,
                    v => schedule.Settings = schedule.Settings with { Headers = v });
                break;
        }
    }

    private sealed record StoredText(string Property, Place Place, string? Value, Action<string?> Set);
}
