using Microsoft.Extensions.Caching.Memory;
using TaskQueue.Engine.Auth;

namespace TaskQueue.Http.Auth;

/// <summary>
/// Tokens whose signature was verified lately, by their digest: a caller sends one token with thousands of requests. What the claims
/// say of times is looked at with each.
/// </summary>
internal sealed class VerifiedTokens(TimeProvider time) : IDisposable
{
    /// <summary>Characters of all tokens together.</summary>
    private const int Most = 8 * 1024 * 1024;

    /// <summary>After it the signature is verified again, so that a signing key which the authority takes back counts no longer.</summary>
    private static readonly TimeSpan Fresh = TimeSpan.FromMinutes(5);

    private readonly MemoryCache _cache = new(new MemoryCacheOptions { SizeLimit = Most });

    /// <summary>The caller with a token; null where it must be verified.</summary>
    /// <param name="digest">Its digest.</param>
    /// <param name="rules">By which it must have been verified.</param>
    public Caller? Find(KeyDigest digest, JwtOptions rules) =>
        Get(digest, rules) is { } found && time.GetElapsedTime(found.At) < Fresh && found.Claims.Fits(rules, time.GetUtcNow())
            ? found.Caller : null;

    /// <summary>Whether a token was valid a while ago: whoever sends it does not guess.</summary>
    public bool Knows(KeyDigest digest, JwtOptions rules) => Get(digest, rules) is not null;

    /// <summary>A token was verified.</summary>
    public void Add(string token, JwtOptions rules, TokenClaims claims, Caller caller) =>
        _cache.Set(KeyDigest.Of(token), new Entry(rules, claims, caller, time.GetTimestamp()),
            new MemoryCacheEntryOptions { Size = token.Length, SlidingExpiration = 2 * Fresh });

    public void Dispose() => _cache.Dispose();

    private Entry? Get(KeyDigest digest, JwtOptions rules) =>
        _cache.TryGetValue(digest, out Entry? found) && ReferenceEquals(found!.Rules, rules) ? found : null;

    private sealed record Entry(JwtOptions Rules, TokenClaims Claims, Caller Caller, long At);
}
