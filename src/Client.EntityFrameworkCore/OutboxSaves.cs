using System.Data.Common;
using System.Runtime.CompilerServices;
using System.Transactions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;

namespace TaskQueue.Client;

/// <summary>
/// Wakes the relay of this process when a context has saved rows of the outbox, or leaves that to <see cref="OutboxCommits"/>. A waking too
/// many costs a query, a missing one the wait until the next poll.
/// </summary>
internal sealed class OutboxSaves(Signal signal) : SaveChangesInterceptor
{
    /// <summary>Contexts with rows that are not saved yet. One that goes back to its pool with them stays, which does no harm.</summary>
    private static readonly ConditionalWeakTable<DbContext, object> Expected = [];

    public static void Expect(DbContext db) => Expected.AddOrUpdate(db, Expected);

    public override int SavedChanges(SaveChangesCompletedEventData eventData, int result)
    {
        Saved(eventData.Context);
        return result;
    }

    public override ValueTask<int> SavedChangesAsync(
        SaveChangesCompletedEventData eventData, int result, CancellationToken cancellationToken = default)
    {
        Saved(eventData.Context);
        return ValueTask.FromResult(result);
    }

    private void Saved(DbContext? db)
    {
        if (db is null || !Expected.TryGetValue(db, out _))
            return;
        if (!Forget(db.ChangeTracker)) // else the changes are not accepted, and may be saved again
            Expected.Remove(db);
        if (db.Database.CurrentTransaction is { } transaction)
            OutboxCommits.Expect(transaction.GetDbTransaction(), signal);
        else if ((db.Database.GetEnlistedTransaction() ?? Transaction.Current) is { } ambient)
            ambient.TransactionCompleted += Completed;
        else
            signal.Set();
    }

    /// <summary>
    /// Stops tracking saved rows: the application has no use for them, and SQLite may give the key of one that is rolled back to another.
    /// </summary>
    /// <returns>Whether there are others.</returns>
    private static bool Forget(ChangeTracker tracker)
    {
        var detects = tracker.AutoDetectChangesEnabled;
        tracker.AutoDetectChangesEnabled = false; // what the application has changed does not matter here
        try
        {
            var rows = tracker.Entries<OutboxTask>().ToList();
            foreach (var saved in rows.Where(r => r.State == EntityState.Unchanged))
                saved.State = EntityState.Detached;
            return rows.Exists(r => r.State == EntityState.Added);
        }
        finally
        {
            tracker.AutoDetectChangesEnabled = detects;
        }
    }

    private void Completed(object? sender, TransactionEventArgs e)
    {
        if (e.Transaction?.TransactionInformation.Status == TransactionStatus.Committed)
            signal.Set();
    }
}

/// <summary>
/// Wakes the relay when a transaction with rows of the outbox has committed. A transaction may be shared by contexts; one that is
/// committed without EF Core wakes nobody.
/// </summary>
internal sealed class OutboxCommits : DbTransactionInterceptor
{
    private static readonly ConditionalWeakTable<DbTransaction, HashSet<Signal>> Expected = [];

    public static void Expect(DbTransaction transaction, Signal signal)
    {
        var signals = Expected.GetValue(transaction, static _ => []);
        lock (signals)
            signals.Add(signal);
    }

    public override void TransactionCommitted(DbTransaction transaction, TransactionEndEventData eventData) => Committed(transaction);

    public override Task TransactionCommittedAsync(
        DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        Committed(transaction);
        return Task.CompletedTask;
    }

    private static void Committed(DbTransaction transaction)
    {
        if (!Expected.TryGetValue(transaction, out var signals))
            return;
        Expected.Remove(transaction);
        lock (signals)
        {
            foreach (var signal in signals)
                signal.Set();
        }
    }
}
