namespace TaskQueue.Engine.Auth;

/// <summary>Section <c>TaskQueue:Auth:Jwt</c>: signed tokens, of a shared secret or of an OpenID Connect authority.</summary>
public sealed class JwtOptions
{
    /// <summary>Signs tokens (HS256): at least 32 bytes of UTF-8, chosen at random.</summary>
    public string? Secret { get; set; }

    /// <summary>URL of an OpenID Connect authority, which publishes the keys of its tokens.</summary>
    public string? Authority { get; set; }

    /// <summary><c>iss</c> that tokens must have.</summary>
    /// <value>Null: the issuer that <see cref="Authority"/> publishes; with <see cref="Secret"/> any.</value>
    public string? Issuer { get; set; }

    /// <summary>Tokens must be for this audience; needed with <see cref="Authority"/>, which has tokens for others too.</summary>
    /// <value>Null: tokens with an <c>aud</c> are refused, because they are for another service.</value>
    public string? Audience { get; set; }

    /// <summary>Accepted values of <c>typ</c> in the header, such as <c>at+jwt</c>; case does not matter.</summary>
    /// <value>Empty: <c>JWT</c>, <c>at+jwt</c>, or no <c>typ</c>. Where set, a token without <c>typ</c> is refused.</value>
    public IList<string> Types { get; } = [];

    /// <summary>The longest time between <c>iat</c> and <c>exp</c>.</summary>
    /// <value>Null: no limit, and <c>iat</c> is optional.</value>
    public TimeSpan? MaxLifetime { get; set; }

    /// <summary>The claim with the scopes: words with spaces between them, or a list. Where a token lacks it, <c>scp</c> counts.</summary>
    public string ScopeClaim { get; set; } = "scope";

    /// <summary>Scopes of tokens without any claim of scopes, such as those of an agent's clients, who have none.</summary>
    /// <value>Empty: no access.</value>
    public IList<string> DefaultScopes { get; } = [];

    /// <summary>The claim with prefixes of queues. A token without it is for no queue.</summary>
    /// <value>Null: tokens are for all queues.</value>
    public string? QueuesClaim { get; set; }

    /// <summary>
    /// Patterns of queues for tokens where <see cref="QueuesClaim"/> is not configured; null is all, but none for scope work.
    /// </summary>
    public IList<string>? Queues { get; set; }

    /// <summary>
    /// The claim with the tenant: owner of what is made with the token, which administrates no other tenant. A token without it is refused.
    /// </summary>
    /// <value>Null: every name is a tenant.</value>
    public string? TenantClaim { get; set; }

    /// <summary>The claim with the owner of what is made with the token.</summary>
    public string NameClaim { get; set; } = "sub";

    /// <summary>Whether tokens are accepted.</summary>
    public bool IsOn => Secret is not null || Authority is not null;

    /// <summary>Whether all settings are the same.</summary>
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
