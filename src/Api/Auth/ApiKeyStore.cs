using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Auth;

namespace TaskQueue.Api.Auth;

/// <summary>The configured keys, hashed when the configuration changes and not with every request.</summary>
internal sealed class ApiKeyStore : IDisposable
{
    private const int StackBytes = 512;

    private readonly TimeProvider _time;
    private readonly IDisposable? _watch;
    private volatile IReadOnlyList<Entry> _entries = [];
    private volatile bool _isOn;

    public ApiKeyStore(IOptionsMonitor<AuthOptions> options, TimeProvider time)
    {
        _time = time;
        _watch = options.OnChange((changed, _) => Read(changed));
        Read(options.CurrentValue);
    }

    /// <summary>
    /// Whether callers have to say who they are. Once on it stays on: a configuration that loses its last key shuts
    /// everybody out instead of letting everybody in.
    /// </summary>
    public bool IsOn => _isOn;

    /// <summary>
    /// The caller with a key; null where it is unknown or expired. Looks at every key, so that the time says nothing of which
    /// one was nearly right.
    /// </summary>
    public Caller? Find(string token)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        Hash(token, hash);
        Entry? found = null;
        foreach (var entry in _entries)
        {
            if (CryptographicOperations.FixedTimeEquals(hash, entry.Hash) && !(entry.ExpiresAt <= _time.GetUtcNow()))
                found = entry;
        }

        // A hash does not tell how weak its key is.
        return found is not null && KeyStrength.IsEnough(token) ? found.Caller : null;
    }

    public void Dispose() => _watch?.Dispose();

    private void Read(AuthOptions options)
    {
        _entries = [.. options.Keys.Select(Entry.Of)];
        _isOn |= options.IsOn;
    }

    private static void Hash(string token, Span<byte> hash)
    {
        var length = Encoding.UTF8.GetMaxByteCount(token.Length);
        var bytes = length <= StackBytes ? stackalloc byte[StackBytes] : new byte[length];
        SHA256.HashData(bytes[..Encoding.UTF8.GetBytes(token, bytes)], hash);
    }

    private sealed record Entry(byte[] Hash, Caller Caller, DateTimeOffset? ExpiresAt)
    {
        public static Entry Of(ApiKeyOptions key) => new(
            key.KeyHash is { } hex ? Convert.FromHexString(hex) : SHA256.HashData(Encoding.UTF8.GetBytes(key.Key!)),
            new Caller(key.Name, key.Tenant ?? key.Name, Scopes.Grants(key.Scopes.Count == 0 ? Scopes.Default : key.Scopes, key.Queues), key.Tenant is not null) { Rate = key.Rate },
            key.ExpiresAt);
    }
}
