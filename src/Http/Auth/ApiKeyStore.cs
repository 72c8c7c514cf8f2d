using Microsoft.Extensions.Options;
using TaskQueue.Engine.Auth;

namespace TaskQueue.Http.Auth;

/// <summary>Configured and issued keys. Configured keys are hashed when the configuration changes, not per request.</summary>
internal sealed class ApiKeyStore : IDisposable
{
    private readonly TimeProvider _time;
    private readonly IssuedKeys _issued;
    private readonly IDisposable? _watch;
    private volatile Dictionary<KeyDigest, Entry> _entries = [];
    private volatile Dictionary<string, SigningKey> _signing = [];
    private volatile bool _isOn;

    public ApiKeyStore(IOptionsMonitor<AuthOptions> options, IssuedKeys issued, TimeProvider time)
    {
        (_time, _issued) = (time, issued);
        _watch = options.OnChange((changed, _) => Read(changed));
        Read(options.CurrentValue);
    }

    /// <summary>
    /// Whether callers must authenticate: a key or token is configured, or a key was issued. Once enabled, authentication stays
    /// enabled: a configuration that loses its last key locks all callers out instead of letting all in.
    /// </summary>
    public bool IsOn => _isOn || (_isOn = _issued.Any);

    /// <summary>Finds the caller of a key in memory; null if the key is unknown or expired.</summary>
    public Caller? Find(string token, KeyDigest digest) =>
        _entries.TryGetValue(digest, out var entry)
            ? entry.ExpiresAt <= _time.GetUtcNow() || !entry.IsStrong(token) ? null : entry.Caller
            : _issued.Find(digest);

    /// <summary>Finds the caller of a key that was found before in memory; null if it is missing there or has expired.</summary>
    public Caller? FindAgain(KeyDigest digest) =>
        _entries.TryGetValue(digest, out var entry) ? entry.ExpiresAt <= _time.GetUtcNow() ? null : entry.Caller : _issued.Find(digest);

    /// <summary>Whether a key is in memory, expired or not: the database knows no more about it.</summary>
    public bool Knows(KeyDigest digest) => _entries.ContainsKey(digest) || _issued.Knows(digest);

    /// <summary>Finds the caller of a key that was found before, and that another process may have issued a moment ago.</summary>
    public ValueTask<Caller?> FindNewAsync(KeyDigest digest, CancellationToken cancellationToken) =>
        _issued.FindNewAsync(digest, cancellationToken);

    /// <summary>Finds the caller of a key missing in memory, which another process may have just issued.</summary>
    public ValueTask<Caller?> FindNewAsync(string token, CancellationToken cancellationToken) =>
        KeyDigest.IsIssuedKey(token) ? _issued.FindNewAsync(KeyDigest.Of(token), cancellationToken) : new((Caller?)null);

    /// <summary>Finds a key with which a caller signs requests; null if it is unknown or expired.</summary>
    public SigningKey? FindSigningKey(string id) =>
        _signing.TryGetValue(id, out var key) && !(key.ExpiresAt <= _time.GetUtcNow()) ? key : null;

    public void Dispose() => _watch?.Dispose();

    private void Read(AuthOptions options)
    {
        var (entries, signing) = (new Dictionary<KeyDigest, Entry>(), new Dictionary<string, SigningKey>());
        foreach (var key in options.Keys)
        {
            var entry = Entry.Of(key);
            if (key.KeyHash is not null || key.Key is not null)
                entries[key.KeyHash is { } hash ? KeyDigest.FromHex(hash) : KeyDigest.Of(key.Key!)] = entry;
            if (key.SigningId is { } id)
                signing[id] = new SigningKey(entry.Caller, entry.ExpiresAt, SigningKeys.Secret(key.SigningSecret), key.SigningPublicKey);
        }

        (_entries, _signing) = (entries, signing);
        _isOn |= options.IsOn;
    }

    private sealed record Entry(Caller Caller, DateTimeOffset? ExpiresAt)
    {
        private bool? _isStrong;

        /// <summary>A hash does not reveal a weak key; equal hashes mean equal keys, so one check suffices.</summary>
        public bool IsStrong(string token) => _isStrong ??= KeyStrength.IsEnough(token);

        public static Entry Of(ApiKeyOptions key) => new(
            new Caller(key.Name, key.Tenant ?? key.Name,
                Scopes.Grants(key.Scopes.Count == 0 ? Scopes.Default : key.Scopes, key.Queues), key.Tenant is not null)
            {
                Rate = key.Rate,
                ExpiresAt = key.ExpiresAt?.UtcDateTime,
            },
            key.ExpiresAt);
    }
}

/// <summary>A key with which a caller signs requests.</summary>
/// <param name="Caller">The caller.</param>
/// <param name="ExpiresAt">When the key expires; null: never.</param>
/// <param name="Secret">Secret for HMAC; null: it signs with a private key.</param>
/// <param name="PublicKey">PEM of the public key; null: it signs with a secret.</param>
internal sealed record SigningKey(Caller Caller, DateTimeOffset? ExpiresAt, byte[]? Secret, string? PublicKey);
