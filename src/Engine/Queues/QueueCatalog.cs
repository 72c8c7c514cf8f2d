using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Engine.Queues;

/// <summary>The declared queues, cached for a second.</summary>
public sealed class QueueCatalog(IDbContextFactory<TaskDbContext> databases, TimeProvider time) : IDisposable
{
    /// <summary>How long a process may not know of a queue that another one declared.</summary>
    public static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim _loading = new(1);
    private volatile Snapshot _current = new(default, new Dictionary<string, QueueRecord>());

    /// <inheritdoc />
    public void Dispose() => _loading.Dispose();

    /// <summary>All declared queues by name.</summary>
    public async ValueTask<IReadOnlyDictionary<string, QueueRecord>> AllAsync()
    {
        if (time.GetUtcNow() - _current.At < MaxAge)
            return _current.Queues;
        await _loading.WaitAsync();
        try
        {
            if (time.GetUtcNow() - _current.At >= MaxAge)
                await LoadAsync();
            return _current.Queues;
        }
        finally
        {
            _loading.Release();
        }
    }

    /// <summary>A declared queue, or null.</summary>
    public async ValueTask<QueueRecord?> FindAsync(string name) => (await AllAsync()).GetValueOrDefault(name);

    /// <summary>A declared queue, or null; one that the cache misses may have been declared by another process since.</summary>
    public async ValueTask<QueueRecord?> LookUpAsync(string name)
    {
        if (await FindAsync(name) is { } known)
            return known;
        await using var db = await databases.CreateDbContextAsync();
        var queue = await db.Queues.AsNoTracking().SingleOrDefaultAsync(q => q.Name == name);
        if (queue is not null)
            await LoadAsync();
        return queue;
    }

    /// <summary>How tasks of a queue are delivered; an undeclared queue is pulled.</summary>
    public async ValueTask<Delivery> DeliveryOfAsync(string name) => (await FindAsync(name))?.Delivery ?? Delivery.Pull;

    /// <summary>Declares a queue.</summary>
    /// <returns>The queue, and whether it is new; one that exists is left as it is.</returns>
    public async Task<(QueueRecord Queue, bool Created)> DeclareAsync(string name, Delivery delivery, string? endpoint = null)
    {
        await using var db = await databases.CreateDbContextAsync();
        if (await db.Queues.SingleOrDefaultAsync(q => q.Name == name) is { } known)
            return (known, false);
        var queue = new QueueRecord { Name = name, Delivery = delivery, Endpoint = endpoint, CreatedAt = Micros.Now(time) };
        db.Queues.Add(queue);
        try
        {
            await db.SaveChangesAsync();
        }
        catch (DbUpdateException) when (db.Queues.AsNoTracking().Any(q => q.Name == name))
        {
            // Somebody else declared it a moment ago.
            return (await db.Queues.AsNoTracking().SingleAsync(q => q.Name == name), false);
        }

        await LoadAsync();
        return (queue, true);
    }

    private async Task LoadAsync()
    {
        await using var db = await databases.CreateDbContextAsync();
        var queues = await db.Queues.AsNoTracking().ToDictionaryAsync(q => q.Name);
        _current = new(time.GetUtcNow(), queues);
    }

    private sealed record Snapshot(DateTimeOffset At, IReadOnlyDictionary<string, QueueRecord> Queues);
}
