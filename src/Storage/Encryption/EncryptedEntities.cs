using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using TaskQueue.Engine.Encryption;

namespace TaskQueue.Storage.Encryption;

/// <summary>
/// Encrypts entities while EF Core writes them, and decrypts those it has read: every read of a table with user texts goes through
/// <c>Open</c>. An interceptor for reads would do so automatically, at several times the cost of a row.
/// </summary>
internal sealed class EncryptedEntities : SaveChangesInterceptor
{
    public static readonly EncryptedEntities Instance = new();

    private readonly ConditionalWeakTable<DbContext, List<Written>> _written = [];

    public override InterceptionResult<int> SavingChanges(DbContextEventData eventData, InterceptionResult<int> result)
    {
        Seal(eventData.Context!);
        return result;
    }

    public override ValueTask<InterceptionResult<int>> SavingChangesAsync(
        DbContextEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default) =>
        new(SavingChanges(eventData, result));

    public override int SavedChanges(SaveChangesCompletedEventData eventData, int result)
    {
        Restore(eventData.Context!, saved: true);
        return result;
    }

    public override ValueTask<int> SavedChangesAsync(
        SaveChangesCompletedEventData eventData, int result, CancellationToken cancellationToken = default) =>
        new(SavedChanges(eventData, result));

    public override void SaveChangesFailed(DbContextErrorEventData eventData) => Restore(eventData.Context!, saved: false);

    public override Task SaveChangesFailedAsync(DbContextErrorEventData eventData, CancellationToken cancellationToken = default)
    {
        SaveChangesFailed(eventData);
        return Task.CompletedTask;
    }

    public override void SaveChangesCanceled(DbContextEventData eventData) => Restore(eventData.Context!, saved: false);

    public override Task SaveChangesCanceledAsync(DbContextEventData eventData, CancellationToken cancellationToken = default)
    {
        SaveChangesCanceled(eventData);
        return Task.CompletedTask;
    }

    private void Seal(DbContext context)
    {
        foreach (var entry in context.ChangeTracker.Entries().Where(e => e.State is EntityState.Added or EntityState.Modified))
        {
            foreach (var text in StoredText.Of(entry.Entity))
            {
                var cipher = context.GetService<DataCipher>();
                var property = entry.Property(text.Property);
                if (!cipher.Changes(text.Value) || (entry.State == EntityState.Modified && !property.IsModified))
                    continue;
                var plain = property.CurrentValue;
                text.Set(cipher.Seal(text.Place, text.Value));
                _written.GetOrCreateValue(context).Add(new Written(property, plain));
            }
        }
    }

    private void Restore(DbContext context, bool saved)
    {
        if (!_written.TryGetValue(context, out var written))
            return;
        _written.Remove(context);
        written.Reverse(); // in reverse: two texts may share a property
        foreach (var (property, plain) in written)
        {
            property.CurrentValue = plain;
            if (!saved)
                continue; // still pending, if the caller retries
            property.OriginalValue = plain;
            property.IsModified = false;
        }
    }

    /// <param name="Property">The encrypted property.</param>
    /// <param name="Plain">Its value before encryption.</param>
    private sealed record Written(PropertyEntry Property, object? Plain);
}
