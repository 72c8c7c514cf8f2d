using System.Runtime.ExceptionServices;
using TaskQueue.Engine.Clocks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Queues;

/// <summary>The declared queues, cached for a second or until invalidated.</summary>
public sealed class QueueCatalog(IQueueRecordStore store, DatabaseWatch database, DependencyHealth dependencies, TimeProvider time)
    : IDisposable
{
    /// <summary>Maximum time until a process sees a change made by another.</summary>
    public static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim _loading = new(1);
    private volatile Snapshot _current = new(long.MinValue, new Dictionary<string, QueueRecord>());
    private Failure? _failure; // of the last load
    private long _invalid; // number of Invalidate calls

    /// <inheritdoc />
    public void Dispose() => _loading.Dispose();

    /// <summary>Returns all declared queues by name.</summary>
    public async ValueTask<IReadOnlyDictionary<string, QueueRecord>> AllAsync()
    {
        if (IsFresh)
            return _current.Queues;
        var came = time.GetTimestamp();
        await _loading.WaitAsync();
        try
        {
            // With an unresponsive database each load takes long: callers that waited for a failed load do not start another.
            if (_failure is { } failure && failure.At >= came)
                failure.Fault.Throw();
            if (!IsFresh)
                await TryLoadAsync();
            return _current.Queues;
        }
        finally
        {
            _loading.Release();
        }
    }

    /// <summary>Finds a declared queue, or returns null.</summary>
    public async ValueTask<QueueRecord?> FindAsync(string name) => (await AllAsync()).GetValueOrDefault(name);

    /// <summary>
    /// Finds a declared queue, or returns null. On a cache miss reads the database, as another process may have declared it.
    /// </summary>
    public async ValueTask<QueueRecord?> LookUpAsync(string name)
    {
        if (await FindAsync(name) is { } known)
            return known;
        if (!await store.ExistsAsync(name))
            return null;
        Invalidate();
        return await FindAsync(name);
    }

    /// <summary>Delivery of the tasks of a queue; undeclared queues are pulled.</summary>
    public async ValueTask<Delivery> DeliveryOfAsync(string name) => (await FindAsync(name))?.Delivery ?? Delivery.Pull;

    /// <summary>Makes the next lookup read the database.</summary>
    public void Invalidate() => Interlocked.Increment(ref _invalid);

    private bool IsFresh => _current.Valid == Interlocked.Read(ref _invalid) && time.GetElapsedTime(_current.At) < MaxAge;

    private async Task TryLoadAsync()
    {
        try
        {
            await LoadAsync();
            _failure = null;
            dependencies.Database.ReportSuccess();
        }
        catch (Exception fault)
        {
            _failure = new(ExceptionDispatchInfo.Capture(fault), time.GetTimestamp());
            throw;
        }
    }

    private async Task LoadAsync()
    {
        var (valid, at, failovers) = (Interlocked.Read(ref _invalid), time.GetTimestamp(), database.Failovers);
        // Every change shows in the version, so an unchanged list of thousands of queues is not reloaded every second. After a failover
        // another change may have led to the same version.
        var version = await store.ReadVersionAsync();
        var isKnown = version == _current.Version && failovers == _current.Failovers;
        _current = new(valid, isKnown ? _current.Queues : await store.ReadAllAsync())
        {
            At = at, Version = version, Failovers = failovers,
        };
    }

    private sealed record Snapshot(long Valid, IReadOnlyDictionary<string, QueueRecord> Queues)
    {
        public long At { get; init; }

        public QueueListVersion? Version { get; init; }

        public int Failovers { get; init; }
    }

    private sealed record Failure(ExceptionDispatchInfo Fault, long At);
}
