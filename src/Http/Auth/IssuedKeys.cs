using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Threading.RateLimiting;
using TaskQueue.Engine.Auth;

namespace TaskQueue.Http.Auth;

/// <summary>In-memory snapshot of the issued keys. A key missing in memory costs one rate-limited database read.</summary>
internal sealed partial class IssuedKeys(IIssuedKeyStore store, TimeProvider time, ILogger<IssuedKeys> logger) : IDisposable
{
    /// <summary>Database reads per second, and burst, for unknown keys; the next refresh finds the keys they miss.</summary>
    private const int DirectReads = 50;

    private readonly ConcurrentDictionary<Guid, KeyUse> _uses = new();
    private readonly SemaphoreSlim _reading = new(1, 1);
    private readonly TokenBucketRateLimiter _direct = new(new TokenBucketRateLimiterOptions
    {
        TokenLimit = DirectReads,
        TokensPerPeriod = DirectReads,
        ReplenishmentPeriod = TimeSpan.FromSeconds(1),
        QueueLimit = 0,
    });

    private volatile Snapshot _snapshot = new([], FrozenDictionary<KeyDigest, Entry>.Empty);

    /// <summary>Whether any key has been issued.</summary>
    public bool Any => _snapshot.Records.Count > 0;

    /// <summary>Finds the caller of a key; null if it is missing in memory or expired.</summary>
    public Caller? Find(KeyDigest digest)
    {
        if (!_snapshot.ByDigest.TryGetValue(digest, out var entry))
            return null;
        var now = time.GetUtcNow().UtcDateTime;
        if (entry.Until <= now)
            return null;
        entry.Use.Note(now);
        return entry.Caller;
    }

    /// <summary>Whether a key is in memory, expired or not.</summary>
    public bool Knows(KeyDigest digest) => _snapshot.ByDigest.ContainsKey(digest);

    /// <summary>Finds the caller of a key that another process may have just issued.</summary>
    public async ValueTask<Caller?> FindNewAsync(KeyDigest digest, CancellationToken cancellationToken)
    {
        if (Knows(digest))
            return Find(digest);
        using var lease = _direct.AttemptAcquire();
        if (!lease.IsAcquired || await store.FindAsync(digest.ToHex(), cancellationToken) is not { RevokedAt: null } key
            || key.ExpiresAt <= time.GetUtcNow().UtcDateTime)
            return null;
        if (!_snapshot.Records.Any(known => IsSame(known, key)))
            await RefreshAsync(cancellationToken);
        return Find(digest);
    }

    /// <summary>Reloads all keys; called after a change, and every second for changes by other processes.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        // A read started before a change must not finish after the read that follows the change.
        await _reading.WaitAsync(cancellationToken);
        try
        {
            var records = await store.ListAsync(tenant: null, cancellationToken);
            if (!IsSame(records, _snapshot.Records))
                _snapshot = Build(records);
        }
        finally
        {
            _reading.Release();
        }
    }

    /// <summary>Writes the last use of keys, per key at most once a minute.</summary>
    public async Task WriteLastUseAsync(CancellationToken cancellationToken)
    {
        var due = _uses.Select(use => (Id: use.Key, use.Value, Minute: use.Value.Unwritten)).Where(use => use.Minute is not null);
        foreach (var group in due.GroupBy(use => use.Minute!.Value).ToList())
        {
            foreach (var part in group.Chunk(500))
            {
                await store.WriteLastUseAsync([.. part.Select(use => use.Id)], group.Key, cancellationToken);
                foreach (var use in part)
                    use.Value.Written(group.Key);
            }
        }
    }

    public void Dispose()
    {
        _reading.Dispose();
        _direct.Dispose();
    }

    private Snapshot Build(List<ApiKeyRecord> records)
    {
        var entries = new Dictionary<KeyDigest, Entry>();
        foreach (var record in records.Where(r => r.RevokedAt is null))
        {
            if (KeyTexts.ToCaller(record) is not { } caller)
            {
                LogUnreadable(record.Id);
                continue;
            }

            var use = _uses.GetOrAdd(record.Id, _ => new KeyUse());
            entries[KeyDigest.FromHex(record.Hash)] = new Entry(caller, record.ExpiresAt, use);
            if (record.PreviousHash is { } previous && record.PreviousUntil is { } until)
                entries.TryAdd(KeyDigest.FromHex(previous), new Entry(caller, record.ExpiresAt < until ? record.ExpiresAt : until, use));
        }

        foreach (var gone in _uses.Keys.Except(records.Select(r => r.Id)))
            _uses.TryRemove(gone, out _);
        return new Snapshot(records, entries.ToFrozenDictionary());
    }

    /// <summary>Ignores the last use. Apart from it, only rotation and revocation change a key.</summary>
    private static bool IsSame(List<ApiKeyRecord> one, List<ApiKeyRecord> other) =>
        one.Count == other.Count && one.Zip(other).All(pair => IsSame(pair.First, pair.Second));

    private static bool IsSame(ApiKeyRecord one, ApiKeyRecord other) =>
        one.Id == other.Id && one.Hash == other.Hash && one.PreviousUntil == other.PreviousUntil && one.RevokedAt == other.RevokedAt;

    [LoggerMessage(LogLevel.Error, "The stored key {Id} cannot be read and is refused")]
    private partial void LogUnreadable(Guid id);

    private sealed record Snapshot(List<ApiKeyRecord> Records, FrozenDictionary<KeyDigest, Entry> ByDigest);

    private sealed record Entry(Caller Caller, DateTime? Until, KeyUse Use);
}

/// <summary>The minute in which a key was last used in this process.</summary>
internal sealed class KeyUse
{
    private long _used, _written;

    /// <summary>The minute still to be written, or null.</summary>
    public DateTime? Unwritten =>
        Interlocked.Read(ref _used) is var used && used > Interlocked.Read(ref _written) ? new DateTime(used, DateTimeKind.Utc) : null;

    public void Note(DateTime now)
    {
        var minute = now.Ticks - (now.Ticks % TimeSpan.TicksPerMinute);
        if (Interlocked.Read(ref _used) != minute)
            Interlocked.Exchange(ref _used, minute);
    }

    public void Written(DateTime minute) => Interlocked.Exchange(ref _written, minute.Ticks);
}
