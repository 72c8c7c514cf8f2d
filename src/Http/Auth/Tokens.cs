using System.Text;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;
using TaskQueue.Engine.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.Http.Auth;

/// <summary>Verifies JSON web tokens with the configured secret or authority.</summary>
internal sealed class Tokens : IDisposable
{
    /// <summary>Claim with the scopes of tokens that lack the configured one.</summary>
    public const string Scp = "scp";

    private const int MinRsaBits = 2048;
    private const int MinEcdsaBits = 256;

    private static readonly TimeSpan KeysRefresh = TimeSpan.FromMinutes(5);

    private static readonly string[] Asymmetric =
    [
        SecurityAlgorithms.RsaSha256, SecurityAlgorithms.RsaSha384, SecurityAlgorithms.RsaSha512,
        SecurityAlgorithms.RsaSsaPssSha256, SecurityAlgorithms.RsaSsaPssSha384, SecurityAlgorithms.RsaSsaPssSha512,
        SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.EcdsaSha384, SecurityAlgorithms.EcdsaSha512,
    ];

    /// <summary>Fetches the documents of authorities, which are small.</summary>
    private static readonly HttpClient Http = new(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5) })
    {
        Timeout = TimeSpan.FromSeconds(10),
        MaxResponseContentBufferSize = 1024 * 1024,
    };

    private readonly JsonWebTokenHandler _handler = new() { MapInboundClaims = false, MaximumTokenSizeInBytes = TokenReader.MaxLength };
    private readonly TimeProvider _time;
    private readonly VerifiedTokens _verified;
    private readonly IDisposable? _watch;
    private volatile Rules? _rules;

    public Tokens(IOptionsMonitor<AuthOptions> options, TimeProvider time)
    {
        (_time, _verified) = (time, new VerifiedTokens(time));
        _watch = options.OnChange((changed, _) => Change(changed.Jwt));
        _rules = Read(options.CurrentValue.Jwt);
    }

    /// <summary>Finds the caller of a recently verified token in memory; null if it must be verified.</summary>
    public Caller? FindVerified(KeyDigest digest) => _rules is { } rules ? _verified.Find(digest, rules.Options) : null;

    /// <summary>Whether a token was valid recently.</summary>
    public bool Knows(KeyDigest digest) => _rules is { } rules && _verified.Knows(digest, rules.Options);

    /// <summary>Verifies a token and finds its caller; null if it is not a token or is invalid.</summary>
    /// <exception cref="ApiException">503: the authority's keys cannot be fetched.</exception>
    public async ValueTask<Caller?> FindAsync(string token, CancellationToken cancellationToken)
    {
        if (_rules is not { } rules || TokenReader.Read(token, rules.Types) is not { } claims
            || !claims.Fits(rules.Options, _time.GetUtcNow()))
            return null;
        if (rules.Authority is { } authority)
            await ReachAsync(authority, cancellationToken);
        var result = await _handler.ValidateTokenAsync(token, rules.Parameters);
        if (!result.IsValid || ToCaller(claims, rules.Options) is not { } caller)
            return null;
        _verified.Add(token, rules.Options, claims, caller);
        return caller;
    }

    public void Dispose()
    {
        _watch?.Dispose();
        _verified.Dispose();
    }

    /// <summary>
    /// Fetches the authority's keys before the first token needs them; afterwards they are cached and refreshed periodically.
    /// </summary>
    private static async ValueTask ReachAsync(ConfigurationManager<OpenIdConnectConfiguration> authority,
        CancellationToken cancellationToken)
    {
        try
        {
            await authority.GetConfigurationAsync(cancellationToken);
        }
        catch (InvalidOperationException)
        {
            throw new ApiException(503, "authority_unavailable", "the signing keys of the token authority cannot be read; try again");
        }
    }

    /// <summary>Called on every configuration change; unrelated changes must not discard verified tokens or the authority's keys.</summary>
    private void Change(JwtOptions jwt)
    {
        if (_rules?.Options.IsSame(jwt) != true)
            _rules = Read(jwt);
    }

    private static Rules? Read(JwtOptions jwt)
    {
        if (!jwt.IsOn)
            return null;
        var parameters = new TokenValidationParameters
        {
            ValidateAudience = jwt.Audience is not null,
            ValidAudience = jwt.Audience,
            IgnoreTrailingSlashWhenValidatingAudience = false,
            ValidateIssuer = jwt.Issuer is not null || jwt.Authority is not null,
            ValidIssuer = jwt.Issuer,
            RequireSignedTokens = true,
            ValidateLifetime = false, // checked by TokenClaims.Fits with this process's TimeProvider
        };
        if (jwt.Secret is not null)
        {
            parameters.ValidAlgorithms = [SecurityAlgorithms.HmacSha256];
            parameters.IssuerSigningKey = new SymmetricSecurityKey(Encoding.UTF8.GetBytes(jwt.Secret));
            return new Rules(jwt, parameters, null);
        }

        var authority = new ConfigurationManager<OpenIdConnectConfiguration>(
            $"{jwt.Authority!.TrimEnd('/')}/.well-known/openid-configuration", new OpenIdConnectConfigurationRetriever(),
            new HttpDocumentRetriever(Http) { RequireHttps = !new Uri(jwt.Authority).IsLoopback })
        {
            // A revoked signing key must not stay valid for long; the default is half a day.
            AutomaticRefreshInterval = KeysRefresh,
            UseLastKnownGoodConfiguration = false,
        };
        parameters.ValidAlgorithms = Asymmetric;
        parameters.ConfigurationManager = authority;
        parameters.ValidateIssuerSigningKey = true;
        parameters.IssuerSigningKeyValidator = (signer, signed, _) => IsStrong(signer, ((JsonWebToken)signed).Alg);
        return new Rules(jwt, parameters, authority);
    }

    /// <summary>Rejects short keys; published keys can be too short as well (RFC 8725, 3.5; RFC 7518, 3.3).</summary>
    private static bool IsStrong(SecurityKey key, string algorithm) =>
        key.KeySize >= (algorithm.StartsWith("ES", StringComparison.Ordinal) ? MinEcdsaBits : MinRsaBits);

    /// <summary>The caller that claims name; null if they name none.</summary>
    public static Caller? ToCaller(TokenClaims claims, JwtOptions jwt)
    {
        if (claims.Text(jwt.NameClaim) is not { } name || !CallerNames.IsValid(name))
            return null;
        var tenant = jwt.TenantClaim is { } type ? claims.Text(type) : null;
        if (jwt.TenantClaim is not null && !CallerNames.IsValid(tenant))
            return null;
        IEnumerable<string>? queues = jwt.QueuesClaim is { } claim ? claims.Words(claim) ?? [] : jwt.Queues;
        return new Caller(name, tenant ?? name, Scopes.Grants(Words(claims, jwt), queues), tenant is not null)
        {
            ExpiresAt = claims.ExpiresAt,
        };
    }

    /// <summary>The scopes that claims grant, as written.</summary>
    public static IEnumerable<string> Words(TokenClaims claims, JwtOptions jwt)
    {
        var claim = claims.Has(jwt.ScopeClaim) ? jwt.ScopeClaim : Scp;
        return claims.Has(claim) ? claims.Words(claim) ?? [] : jwt.DefaultScopes;
    }

    private sealed record Rules(JwtOptions Options, TokenValidationParameters Parameters,
        ConfigurationManager<OpenIdConnectConfiguration>? Authority)
    {
        public IReadOnlyCollection<string> Types { get; } = [.. Options.Types];
    }
}
