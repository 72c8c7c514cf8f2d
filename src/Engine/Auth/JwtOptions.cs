namespace TaskQueue.Engine.Auth;

/// <summary>Section <c>TaskQueue:Auth:Jwt</c>: signed tokens, from a shared secret or from an OpenID Connect authority.</summary>
public sealed class JwtOptions
{
    /// <summary>Signs tokens (HS256): at least 32 bytes of UTF-8, chosen at random.</summary>
    public string? Secret { get; set; }

    /// <summary>URL of an OpenID Connect authority that publishes its signing keys.</summary>
    public string? Authority { get; set; }

    /// <summary>Required <c>iss</c> of tokens.</summary>
    /// <value>Null: the issuer that <see cref="Authority"/> publishes; with <see cref="Secret"/> any.</value>
    public string? Issuer { get; set; }

    /// <summary>Required audience of tokens; mandatory with <see cref="Authority"/>, which also issues tokens for other services.</summary>
    /// <value>Null: tokens with an <c>aud</c> are rejected, because they are for another service.</value>
    public string? Audience { get; set; }

    /// <summary>Accepted values of <c>typ</c> in the header, such as <c>at+jwt</c>; case-insensitive.</summary>
    /// <value>Empty: <c>JWT</c>, <c>at+jwt</c>, or no <c>typ</c>. If set, a token without <c>typ</c> is rejected.</value>
    public IList<string> Types { get; } = [];

    /// <summary>Maximum time between <c>iat</c> and <c>exp</c>.</summary>
    /// <value>Null: no limit, and <c>iat</c> is optional.</value>
    public TimeSpan? MaxLifetime { get; set; }

    /// <summary>Claim with the scopes: space-separated words, or a list. If a token lacks it, <c>scp</c> is used.</summary>
    public string ScopeClaim { get; set; } = "scope";

    /// <summary>Scopes of tokens without a scope claim, such as those of agent clients.</summary>
    /// <value>Empty: no access.</value>
    public IList<string> DefaultScopes { get; } = [];

    /// <summary>Claim with queue prefixes. A token without it covers no queue.</summary>
    /// <value>Null: tokens cover all queues.</value>
    public string? QueuesClaim { get; set; }

    /// <summary>
    /// Queue patterns for tokens if <see cref="QueuesClaim"/> is not configured; null is all queues, but none for scope work.
    /// </summary>
    public IList<string>? Queues { get; set; }

    /// <summary>
    /// Claim with the tenant: owner of what is created with the token, which administers no other tenant. A token without it is rejected.
    /// </summary>
    /// <value>Null: every caller name is its own tenant.</value>
    public string? TenantClaim { get; set; }

    /// <summary>Claim with the name of the caller, the owner of what is created with the token.</summary>
    public string NameClaim { get; set; } = "sub";

    /// <summary>Whether tokens are accepted.</summary>
    public bool IsOn => Secret is not null || Authority is not null;

    /// <summary>Whether all settings are equal.</summary>
    public bool IsSame(JwtOptions other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return (Secret, Authority, Issuer, Audience, MaxLifetime, ScopeClaim, QueuesClaim, TenantClaim, NameClaim)
            == (other.Secret, other.Authority, other.Issuer, other.Audience, other.MaxLifetime, other.ScopeClaim, other.QueuesClaim,
                other.TenantClaim, other.NameClaim)
            && Types.SequenceEqual(other.Types) && DefaultScopes.SequenceEqual(other.DefaultScopes)
            && (Queues is null ? other.Queues is null : other.Queues is not null && Queues.SequenceEqual(other.Queues));
    }

    internal string? Problem =>
        Secret is not null && Authority is not null ? "Secret and Jwt:Authority exclude each other; set one of them"
        : Secret is not null && SigningSecret.Problem(Secret) is { } weak ? $"Secret {weak}"
        : Authority is not null && !IsAuthority(Authority) ? "Authority must be an https URL (http only of this machine)"
        : Authority is not null && string.IsNullOrEmpty(Audience) ? "Audience must be set with Jwt:Authority"
        : Audience is { Length: 0 } ? "Audience must not be empty"
        : Issuer is { Length: 0 } ? "Issuer must not be empty"
        : Types.Any(string.IsNullOrWhiteSpace) ? "Types has an empty type"
        : MaxLifetime <= TimeSpan.Zero ? "MaxLifetime must be more than zero"
        : DefaultScopes.FirstOrDefault(s => !Scopes.IsValid(s)) is { } scope ? $"DefaultScopes has '{scope}'; it must be {Scopes.Rule}"
        : ScopeClaim.Length == 0 ? "ScopeClaim must be the name of a claim"
        : NameClaim.Length == 0 ? "NameClaim must be the name of a claim"
        : TenantClaim is { Length: 0 } ? "TenantClaim must be the name of a claim"
        : QueuesClaim is { Length: 0 } ? "QueuesClaim must be the name of a claim"
        : null;

    private static bool IsAuthority(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri)
            && (uri.Scheme == Uri.UriSchemeHttps || (uri.Scheme == Uri.UriSchemeHttp && uri.IsLoopback));
}
