using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;

namespace TaskQueue.Engine.Quotas;

/// <summary>
/// Budgets of a number of units a minute, shared by all processes: for example tokens of one owner at one upstream. Units are taken before
/// they are used, as far as they can be estimated, and settled when the real number is known: what was used in excess delays what follows.
/// </summary>
/// <remarks>
/// A budget is the time up to which it is spent, as a <see cref="TokenBucket"/> is, with a capacity of a minute. If no other process shares
/// the database, it is in memory.
/// </remarks>
public sealed class SharedBudget(ITenantUsageStore store, TimeProvider time)
{
    /// <summary>Most units a minute: one must cost at least a nanosecond.</summary>
    public const long MaxPerMinute = 60_000_000_000;

    private const long Minute = 60_000_000_000, Day = 24 * 60 * Minute; // nanoseconds
    private const int MaxTries = 100, MaxLocal = 10_000, Gates = 64;

    private readonly ConcurrentDictionary<string, long> _local = new(StringComparer.Ordinal);

    /// <summary>One change of a budget at a time is on its way from a process, so that those of several processes seldom meet.</summary>
    private readonly SemaphoreSlim[] _gates = [.. Enumerable.Range(0, Gates).Select(_ => new SemaphoreSlim(1, 1))];

    /// <summary>The key of a budget; no tenant has such a name.</summary>
    public static string KeyOf(string of, string? owner) =>
        "budget\u0001" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{of}\n{owner}")).AsSpan(0, 16));

    /// <summary>Takes units. More than a minute's worth is taken from a full budget.</summary>
    /// <returns>Zero if they were taken; otherwise the time until they can be.</returns>
    public async Task<TimeSpan> TakeAsync(string key, long perMinute, long units, CancellationToken cancellationToken)
    {
        var cost = Cost(units, perMinute);
        var wait = TimeSpan.Zero;
        await ChangeAsync(key, (spent, now) =>
        {
            var from = Math.Max(spent, now);
            var over = from == now ? 0 : from + cost - now - Minute;
            wait = over > 0 ? TimeSpan.FromTicks((over / TimeSpan.NanosecondsPerTick) + 1) : TimeSpan.Zero;
            return over > 0 ? null : from + cost;
        }, cancellationToken);
        return wait;
    }

    /// <summary>Corrects what was taken.</summary>
    /// <param name="key">The budget.</param>
    /// <param name="perMinute">Its units a minute.</param>
    /// <param name="difference">Units used minus units taken.</param>
    /// <param name="cancellationToken">Cancels the statements.</param>
    public async Task SettleAsync(string key, long perMinute, long difference, CancellationToken cancellationToken)
    {
        var cost = Cost(difference, perMinute);
        if (cost > 0)
            await ChangeAsync(key, (spent, now) => Math.Min(Math.Max(spent, now) + cost, now + Day), cancellationToken);
        else if (cost < 0)
            await ChangeAsync(key, (spent, _) => spent + cost, cancellationToken);
    }

    /// <summary>The time that units cost, in nanoseconds: at most a day.</summary>
    private static long Cost(long units, long perMinute) => (long)Int128.Clamp((Int128)units * Minute / perMinute, -Day, Day);

    /// <param name="key">The budget.</param>
    /// <param name="change">Given the time up to which it is spent and the current time; null leaves it.</param>
    /// <param name="cancellationToken">Cancels the statements.</param>
    private async Task ChangeAsync(string key, Func<long, long, long?> change, CancellationToken cancellationToken)
    {
        if (!store.IsShared)
        {
            ChangeLocal(key, change);
            return;
        }

        var gate = _gates[(uint)StringComparer.Ordinal.GetHashCode(key) % Gates];
        await gate.WaitAsync(cancellationToken);
        try
        {
            await ChangeSharedAsync(key, change, cancellationToken);
        }
        finally
        {
            gate.Release();
        }
    }

    private async Task ChangeSharedAsync(string key, Func<long, long, long?> change, CancellationToken cancellationToken)
    {
        if (!await store.TryChangeAsync(key, MaxTries, change, time, cancellationToken))
            throw new TimeoutException($"{MaxTries} changes of a budget met those of other processes.");
    }

    private void ChangeLocal(string key, Func<long, long, long?> change)
    {
        var now = TokenBucket.Nanoseconds(time.GetUtcNow().UtcDateTime);
        if (_local.Count > MaxLocal)
        {
            foreach (var (full, spent) in _local)
            {
                if (spent <= now)
                    _local.TryRemove(KeyValuePair.Create(full, spent));
            }
        }

        while (true)
        {
            var spent = _local.GetOrAdd(key, now);
            if (change(spent, now) is not { } changed || _local.TryUpdate(key, changed, spent))
                return;
        }
    }
}
