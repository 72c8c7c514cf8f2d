using System.Buffers.Text;
using System.IdentityModel.Tokens.Jwt;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Audit;
using TaskQueue.Engine.Auth;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.WebConsole.Sessions;

namespace TaskQueue.WebConsole.SignIn;

/// <summary>Sign-in through an OpenID Connect provider: authorization code with PKCE, ending in the same cookie as a key.</summary>
internal static partial class OidcSignIn
{
    private const string Scheme = "console-oidc", Callback = "/console/oidc/callback", Home = "/console/";
    private const string ClaimsItem = "TaskQueue.Console.Claims";

    /// <summary>Registers the handler of ASP.NET Core under its own scheme, without authentication of other requests.</summary>
    public static void AddOidcSignIn(this IServiceCollection services, OidcOptions provider)
    {
        services.AddAuthenticationCore();
        services.AddWebEncoders();
        services.TryAddSingleton<IAuthenticationConfigurationProvider, NoConfiguration>();
        new AuthenticationBuilder(services).AddOpenIdConnect(Scheme, options => Configure(options, provider));
    }

    /// <summary>Maps the begin and the end of a sign-in.</summary>
    public static void MapOidcSignIn(this IEndpointRouteBuilder app)
    {
        var oidc = app.MapGroup("/console/oidc").AnswerFaults(ApiErrors.Problem).Open().ExcludeFromDescription();
        oidc.MapGet("/sign-in", BeginAsync);
        oidc.MapGet("/callback", EndAsync);
    }

    private static async Task BeginAsync(HttpContext context)
    {
        try
        {
            await context.ChallengeAsync(Scheme, new AuthenticationProperties
            {
                RedirectUri = context.Request.PathBase + PageOf(context.Request.Query["return"].FirstOrDefault()),
            });
        }
        catch (InvalidOperationException fault) when (!context.Response.HasStarted)
        {
            LogFailed(Logger(context), fault); // the provider's metadata cannot be read
            Refuse(context, "failed");
        }
    }

    private static async Task EndAsync(HttpContext context)
    {
        var handlers = context.RequestServices.GetRequiredService<IAuthenticationHandlerProvider>();
        if (await handlers.GetHandlerAsync(context, Scheme) is not IAuthenticationRequestHandler handler
            || !await handler.HandleRequestAsync())
            Refuse(context, "failed");
    }

    /// <summary>A page of the console; anything else would let a link lead elsewhere after the sign-in.</summary>
    private static string PageOf(string? asked) =>
        asked is { Length: > 0 and <= 1024 } && asked.StartsWith(Home, StringComparison.Ordinal) && TextRules.IsPlain(asked)
            && !asked.Contains('\\', StringComparison.Ordinal) ? asked : Home;

    private static void Configure(OpenIdConnectOptions options, OidcOptions provider)
    {
        options.Authority = provider.Authority;
        options.RequireHttpsMetadata = !new Uri(provider.Authority!).IsLoopback;
        (options.ClientId, options.ClientSecret) = (provider.ClientId, provider.ClientSecret);
        (options.ResponseType, options.ResponseMode, options.UsePkce) = ("code", "query", true);
        (options.MapInboundClaims, options.SaveTokens, options.GetClaimsFromUserInfoEndpoint) = (false, false, false);
        options.CallbackPath = Callback;
        options.SignInScheme = "console"; // never used: the session is written here
        options.Scope.Clear();
        foreach (var scope in provider.Scopes.Count == 0 ? ["profile"] : provider.Scopes)
            options.Scope.Add(scope);
        options.Scope.Add("openid");
        // The answer is a navigation from the provider's page.
        foreach (var cookie in new[] { options.CorrelationCookie, options.NonceCookie })
            (cookie.SameSite, cookie.SecurePolicy) = (SameSiteMode.Lax, CookieSecurePolicy.SameAsRequest);
        options.Events = new OpenIdConnectEvents
        {
            OnTokenValidated = context =>
            {
                context.HttpContext.Items[ClaimsItem] = ((JwtSecurityToken)context.SecurityToken!).RawPayload;
                return Task.CompletedTask;
            },
            OnTicketReceived = SignInAsync,
            OnAccessDenied = context => EndWith(context, "denied"),
            OnRemoteFailure = context =>
            {
                // Anybody may send a callback that this server did not begin: one line, without a stack.
                LogRefused(Logger(context.HttpContext), context.Failure?.Message);
                return EndWith(context, "failed");
            },
        };
    }

    private static async Task SignInAsync(TicketReceivedContext received)
    {
        var context = received.HttpContext;
        var services = context.RequestServices;
        var jwt = services.GetRequiredService<IOptionsMonitor<AuthOptions>>().CurrentValue.Jwt;
        var claims = Needed(JsonElement.Parse(Base64Url.DecodeFromChars((string)context.Items[ClaimsItem]!)), jwt);
        var cookies = services.GetRequiredService<SessionCookies>();
        var ticket = new SessionTicket(cookies.End.ToUnixTimeSeconds(), null, claims);
        if (services.GetRequiredService<CallerSessions>().OfClaims(ticket) is not { } caller)
        {
            await EndWith(received, "no_access");
            return;
        }

        context.Features.Set(caller);
        try
        {
            cookies.Write(context, ticket);
        }
        catch (ApiException fault)
        {
            LogFailed(Logger(context), fault);
            await EndWith(received, "failed");
            return;
        }

        await services.GetRequiredService<AuditLog>().RecordAsync(AuditedRoutes.Entry(context, "console.sign_in", AuditEntry.Done)
            with { Target = "console/oidc" });
        context.Response.Redirect(received.ReturnUri ?? context.Request.PathBase + Home);
        received.HandleResponse();
    }

    /// <summary>The claims that make a caller, without all others: they must fit into a cookie.</summary>
    private static JsonElement Needed(JsonElement all, JwtOptions jwt)
    {
        string?[] names = [jwt.NameClaim, jwt.ScopeClaim, Tokens.Scp, jwt.TenantClaim, jwt.QueuesClaim];
        return JsonSerializer.SerializeToElement(names.OfType<string>().Distinct(StringComparer.Ordinal)
            .Where(name => all.TryGetProperty(name, out _)).ToDictionary(name => name, all.GetProperty),
            ClaimsJson.Default.DictionaryStringJsonElement);
    }

    private static Task EndWith<T>(HandleRequestContext<T> context, string code)
        where T : AuthenticationSchemeOptions
    {
        Refuse(context.HttpContext, code);
        context.HandleResponse();
        return Task.CompletedTask;
    }

    private static void Refuse(HttpContext context, string code) =>
        context.Response.Redirect($"{context.Request.PathBase}{Home}?sign_in_error={code}");

    private static ILogger Logger(HttpContext context) =>
        context.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger("TaskQueue.WebConsole.SignIn");

    [LoggerMessage(LogLevel.Warning, "A sign-in through the OpenID Connect provider failed")]
    private static partial void LogFailed(ILogger logger, Exception fault);

    [LoggerMessage(LogLevel.Warning, "A sign-in through the OpenID Connect provider is refused: {Problem}")]
    private static partial void LogRefused(ILogger logger, string? problem);

    /// <summary>Settings come from section TaskQueue:Console alone.</summary>
    private sealed class NoConfiguration : IAuthenticationConfigurationProvider
    {
        public IConfiguration AuthenticationConfiguration { get; } = new ConfigurationBuilder().Build();
    }
}
