using System.Runtime.ExceptionServices;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Queues;

/// <summary>The declared queues, cached for a second, or until somebody says that one changed.</summary>
public sealed class QueueCatalog(IQueueRecordStore store, DependencyHealth dependencies, TimeProvider time) : IDisposable
{
    /// <summary>How long a process may not know what another one changed, at most.</summary>
    public static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim _loading = new(1);
    private volatile Snapshot _current = new(long.MinValue, new Dictionary<string, QueueRecord>());
    private Failure? _failure; // of the last look
    private long _invalid; // counts the calls of Invalidate

    /// <inheritdoc />
    public void Dispose() => _loading.Dispose();

    /// <summary>All declared queues by name.</summary>
    public async ValueTask<IReadOnlyDictionary<string, QueueRecord>> AllAsync()
    {
        if (IsFresh)
            return _current.Queues;
        var came = time.GetTimestamp();
        await _loading.WaitAsync();
        try
        {
            // Where the database is silent each look takes its time: who waited for one that failed does not try another.
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

    /// <summary>A declared queue, or null.</summary>
    public async ValueTask<QueueRecord?> FindAsync(string name) => (await AllAsync()).GetValueOrDefault(name);

    /// <summary>A declared queue, or null; one that the cache misses may have been declared by another process since.</summary>
    public async ValueTask<QueueRecord?> LookUpAsync(string name)
    {
        if (await FindAsync(name) is { } known)
            return known;
        if (!await store.ExistsAsync(name))
            return null;
        Invalidate();
        return await FindAsync(name);
    }

    /// <summary>How tasks of a queue are delivered; an undeclared queue is pulled.</summary>
    public async ValueTask<Delivery> DeliveryOfAsync(string name) => (await FindAsync(name))?.Delivery ?? Delivery.Pull;

    /// <summary>A queue changed: the next look reads the database.</summary>
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
        var (valid, at) = (Interlocked.Read(ref _invalid), time.GetTimestamp());
        // Every change shows in the version, so thousands of queues are not read every second for nothing.
        var version = await store.ReadVersionAsync();
        var queues = version == _current.Version ? _current.Queues : await store.ReadAllAsync();
        _current = new(valid, queues) { At = at, Version = version };
    }

    private sealed record Snapshot(long Valid, IReadOnlyDictionary<string, QueueRecord> Queues)
    {
        public long At { get; init; }

        public QueueListVersion? Version { get; init; }
    }

    private sealed record Failure(ExceptionDispatchInfo Fault, long At);
}
