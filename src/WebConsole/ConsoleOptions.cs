using System.ComponentModel.DataAnnotations;

namespace TaskQueue.WebConsole;

/// <summary>Section <c>TaskQueue:Console</c>: the web console under <c>/console</c>.</summary>
internal sealed class ConsoleOptions : IValidatableObject
{
    private const string Section = "TaskQueue:Console";
    private const int MaxMinutes = 7 * 24 * 60;

    /// <summary>Whether the API processes serve the console.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>Whether sessions of the console may only read, whatever their key may do elsewhere.</summary>
    public bool ReadOnly { get; set; }

    /// <summary>
    /// Whether sessions see payloads, results, errors and progress. If not, only those that signed in through <see cref="Oidc"/> with
    /// the scope <c>payloads</c> do.
    /// </summary>
    public bool ShowPayloads { get; set; } = true;

    /// <summary>Minutes until a session ends, unless its key ends before.</summary>
    /// <value>480: a working day; 1 to 10080.</value>
    [Range(1, MaxMinutes, ErrorMessage = Section + ":SessionMinutes must be 1 to 10080")]
    public int SessionMinutes { get; set; } = 480;

    /// <summary>Sign-in through an OpenID Connect provider, besides API keys.</summary>
    public OidcOptions Oidc { get; set; } = new();

    /// <inheritdoc />
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Oidc.Problem is { } problem)
            yield return new($"{Section}:Oidc:{problem}");
    }
}

/// <summary>The provider of an OpenID Connect sign-in.</summary>
internal sealed class OidcOptions
{
    /// <summary>URL of the provider: https, or http of this machine.</summary>
    /// <value>Null: no such sign-in.</value>
    public string? Authority { get; set; }

    /// <summary>Id of the console at the provider; its redirect URI there is <c>/console/oidc/callback</c>.</summary>
    public string? ClientId { get; set; }

    /// <summary>Secret of the console at the provider.</summary>
    /// <value>Null: a public client, protected by PKCE alone.</value>
    public string? ClientSecret { get; set; }

    /// <summary>Scopes to request besides <c>openid</c>.</summary>
    /// <value>Empty: <c>profile</c>.</value>
    public IList<string> Scopes { get; } = [];

    /// <summary>Whether this sign-in is configured.</summary>
    public bool IsOn => Authority is not null;

    /// <summary>The validation error, or null.</summary>
    public string? Problem =>
        Authority is null ? ClientId is null && ClientSecret is null ? null : "Authority is missing"
        : !IsUrl(Authority) ? "Authority must be an https URL (http only of this machine)"
        : string.IsNullOrWhiteSpace(ClientId) ? "ClientId is missing: the id of the console at the provider"
        : Scopes.Any(s => s.Length == 0 || s.Any(char.IsWhiteSpace)) ? "Scopes must be words without spaces"
        : null;

    private static bool IsUrl(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri)
            && (uri.Scheme == Uri.UriSchemeHttps || (uri.Scheme == Uri.UriSchemeHttp && uri.IsLoopback));
}
