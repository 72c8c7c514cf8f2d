using Microsoft.Extensions.Caching.Memory;
using TaskQueue.Engine.Auth;

namespace TaskQueue.Http.Auth;

/// <summary>
/// Cache of recently verified tokens by digest: a caller sends the same token with thousands of requests. Time claims are still
/// checked on every request.
/// </summary>
internal sealed class VerifiedTokens(TimeProvider time) : IDisposable
{
    /// <summary>Maximum total characters of all cached tokens.</summary>
    private const int Most = 8 * 1024 * 1024;

    /// <summary>After this time the signature is verified again, so that a revoked signing key stops being accepted.</summary>
    private static readonly TimeSpan Fresh = TimeSpan.FromMinutes(5);

    private readonly MemoryCache _cache = new(new MemoryCacheOptions { SizeLimit = Most });

    /// <summary>Finds the caller of a token; null if it must be verified.</summary>
    /// <param name="digest">Digest of the token.</param>
    /// <param name="rules">Options with which it must have been verified.</param>
    public Caller? Find(KeyDigest digest, JwtOptions rules) =>
        Get(digest, rules) is { } found && time.GetElapsedTime(found.At) < Fresh && found.Claims.Fits(rules, time.GetUtcNow())
            ? found.Caller : null;

    /// <summary>Whether a token was valid recently: its sender is not guessing.</summary>
    public bool Knows(KeyDigest digest, JwtOptions rules) => Get(digest, rules) is not null;

    /// <summary>Adds a verified token.</summary>
    public void Add(string token, JwtOptions rules, TokenClaims claims, Caller caller) =>
        _cache.Set(KeyDigest.Of(token), new Entry(rules, claims, caller, time.GetTimestamp()),
            new MemoryCacheEntryOptions { Size = token.Length, SlidingExpiration = 2 * Fresh });

    public void Dispose() => _cache.Dispose();

    private Entry? Get(KeyDigest digest, JwtOptions rules) =>
        _cache.TryGetValue(digest, out Entry? found) && ReferenceEquals(found!.Rules, rules) ? found : null;

    private sealed record Entry(JwtOptions Rules, TokenClaims Claims, Caller Caller, long At);
}
