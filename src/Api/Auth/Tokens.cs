using System.Security.Claims;
using System.Text;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;
using TaskQueue.Api.Http;
using TaskQueue.Engine.Auth;

namespace TaskQueue.Api.Auth;

/// <summary>Checks JSON web tokens against the configured secret or authority.</summary>
internal sealed class Tokens : IDisposable
{
    private const int MaxLength = 16 * 1024;
    private const string Scp = "scp";

    private static readonly TimeSpan Skew = TimeSpan.FromSeconds(60);

    private static readonly string[] Asymmetric =
    [
        SecurityAlgorithms.RsaSha256, SecurityAlgorithms.RsaSha384, SecurityAlgorithms.RsaSha512,
        SecurityAlgorithms.RsaSsaPssSha256, SecurityAlgorithms.RsaSsaPssSha384, SecurityAlgorithms.RsaSsaPssSha512,
        SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.EcdsaSha384, SecurityAlgorithms.EcdsaSha512,
    ];

    private readonly JsonWebTokenHandler _handler = new() { MapInboundClaims = false, MaximumTokenSizeInBytes = MaxLength };
    private readonly TimeProvider _time;
    private readonly IDisposable? _watch;
    private volatile Rules? _rules;

    public Tokens(IOptionsMonitor<AuthOptions> options, TimeProvider time)
    {
        _time = time;
        _watch = options.OnChange((changed, _) => _rules = Read(changed.Jwt));
        _rules = Read(options.CurrentValue.Jwt);
    }

    /// <summary>The caller with a token; null where it is none, or is not valid.</summary>
    /// <exception cref="DoorException">503: the authority's keys cannot be had.</exception>
    public async ValueTask<Caller?> FindAsync(string token, CancellationToken stop)
    {
        if (_rules is not { } rules || token.Length > MaxLength || !_handler.CanReadToken(token))
            return null;
        if (rules.Authority is { } authority)
            await ReachAsync(authority, stop);
        var result = await _handler.ValidateTokenAsync(token, rules.Parameters);
        return result.IsValid ? ToCaller(result.ClaimsIdentity, rules.Options) : null;
    }

    public void Dispose() => _watch?.Dispose();

    /// <summary>Reads the authority's keys before the first token needs them; later they are at hand, and are read again now and then.</summary>
    private static async ValueTask ReachAsync(ConfigurationManager<OpenIdConnectConfiguration> authority, CancellationToken stop)
    {
        try
        {
            await authority.GetConfigurationAsync(stop);
        }
        catch (InvalidOperationException)
        {
            throw new DoorException(503, "authority_unavailable", "the keys of the authority that signs tokens cannot be read; try again");
        }
    }

    private Rules? Read(JwtOptions jwt)
    {
        if (!jwt.IsOn)
            return null;
        var parameters = new TokenValidationParameters
        {
            ValidateAudience = jwt.Audience is not null,
            ValidAudience = jwt.Audience,
            ValidateIssuer = jwt.Authority is not null,
            RequireSignedTokens = true,
            LifetimeValidator = (from, until, _, _) => IsLive(from, until),
        };
        if (jwt.Secret is not null)
        {
            parameters.ValidAlgorithms = [SecurityAlgorithms.HmacSha256];
            parameters.IssuerSigningKey = new SymmetricSecurityKey(Encoding.UTF8.GetBytes(jwt.Secret));
            return new Rules(jwt, parameters, null);
        }

        var authority = new ConfigurationManager<OpenIdConnectConfiguration>(
            $"{jwt.Authority!.TrimEnd('/')}/.well-known/openid-configuration", new OpenIdConnectConfigurationRetriever(),
            new HttpDocumentRetriever { RequireHttps = !new Uri(jwt.Authority).IsLoopback });
        parameters.ValidAlgorithms = Asymmetric;
        parameters.ConfigurationManager = authority;
        return new Rules(jwt, parameters, authority);
    }

    private bool IsLive(DateTime? from, DateTime? until)
    {
        var now = _time.GetUtcNow().UtcDateTime;
        return until > now && !(from > now + Skew);
    }

    private static Caller? ToCaller(ClaimsIdentity claims, JwtOptions jwt)
    {
        if (claims.FindFirst(jwt.NameClaim)?.Value is not { Length: >= 1 and <= 128 } name || !CallerNames.IsValid(name))
            return null;
        var words = claims.HasClaim(claim => claim.Type == jwt.ScopeClaim) ? Words(claims, jwt.ScopeClaim)
            : claims.HasClaim(claim => claim.Type == Scp) ? Words(claims, Scp)
            : jwt.DefaultScopes;
        IEnumerable<string>? queues = jwt.QueuesClaim is { } claim ? [.. Words(claims, claim)] : jwt.Queues;
        var tenant = jwt.TenantClaim is { } type ? claims.FindFirst(type)?.Value : null;
        if (jwt.TenantClaim is not null && !CallerNames.IsValid(tenant))
            return null;
        return new Caller(name, tenant ?? name, Scopes.Grants(words, queues), tenant is not null);
    }

    /// <summary>A list comes as a claim for each of its members.</summary>
    private static IEnumerable<string> Words(ClaimsIdentity claims, string type) =>
        claims.FindAll(type).SelectMany(claim => claim.Value.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    private sealed record Rules(JwtOptions Options, TokenValidationParameters Parameters, ConfigurationManager<OpenIdConnectConfiguration>? Authority);
}
