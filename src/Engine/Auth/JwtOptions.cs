using System.Text;

namespace TaskQueue.Engine.Auth;

/// <summary>Section <c>TaskQueue:Auth:Jwt</c>: signed tokens, of a shared secret or of an OpenID Connect authority.</summary>
public sealed class JwtOptions
{
    private const int MinSecretBytes = 32;

    /// <summary>Tokens are signed with it (HS256): at least 32 bytes of UTF-8.</summary>
    public string? Secret { get; set; }

    /// <summary>URL of an OpenID Connect authority, which publishes the keys of its tokens.</summary>
    public string? Authority { get; set; }

    /// <summary>Tokens must be for this audience; needed with <see cref="Authority"/>, which has tokens for others too.</summary>
    public string? Audience { get; set; }

    /// <summary>The claim with the scopes: words with spaces between them, or a list. Where a token lacks it, <c>scp</c> counts.</summary>
    public string ScopeClaim { get; set; } = "scope";

    /// <summary>What tokens without any claim of scopes are good for, such as those of an agent's clients, who have none.</summary>
    /// <value>None: nothing.</value>
    public IList<string> DefaultScopes { get; } = [];

    /// <summary>The claim with prefixes of queues. A token without it is for no queue.</summary>
    /// <value>Null: tokens are for all queues.</value>
    public string? QueuesClaim { get; set; }

    /// <summary>Patterns of queues for tokens where <see cref="QueuesClaim"/> is not configured; null is all, but none for scope work.</summary>
    public IList<string>? Queues { get; set; }

    /// <summary>The claim with the tenant: owner of what is made with the token, which administrates no other tenant. A token without it is refused.</summary>
    /// <value>Null: every name is a tenant.</value>
    public string? TenantClaim { get; set; }

    /// <summary>The claim with the owner of what is made with the token.</summary>
    public string NameClaim { get; set; } = "sub";

    /// <summary>Whether tokens are accepted.</summary>
    public bool IsOn => Secret is not null || Authority is not null;

    internal string? Problem =>
        Secret is not null && Authority is not null ? "Secret and Jwt:Authority exclude each other; set one of them"
        : Secret == "jwt-secret-key" ? "Secret is the example that everybody knows; choose another"
        : Secret is not null && Encoding.UTF8.GetByteCount(Secret) < MinSecretBytes ? $"Secret must have at least {MinSecretBytes} bytes"
        : Authority is not null && !IsAuthority(Authority) ? "Authority must be an https URL (http only of this machine)"
        : Authority is not null && string.IsNullOrEmpty(Audience) ? "Audience must be set with Jwt:Authority"
        : DefaultScopes.FirstOrDefault(s => !Scopes.IsValid(s)) is { } scope ? $"DefaultScopes has '{scope}'; it must be {Scopes.Rule}"
        : ScopeClaim.Length == 0 ? "ScopeClaim must be the name of a claim"
        : NameClaim.Length == 0 ? "NameClaim must be the name of a claim"
        : null;

    private static bool IsAuthority(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri) && (uri.Scheme == Uri.UriSchemeHttps || (uri.Scheme == Uri.UriSchemeHttp && uri.IsLoopback));
}
