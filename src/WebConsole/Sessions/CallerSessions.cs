using Microsoft.Extensions.Options;
using TaskQueue.Engine.Auth;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.WebConsole.Sessions;

/// <summary>Finds the caller of a session anew with each request, so that a session ends with its key.</summary>
internal sealed class CallerSessions(
    SessionCookies cookies, ApiKeyStore keys, IOptionsMonitor<AuthOptions> auth, IOptions<ConsoleOptions> options) : ICallerSessions
{
    /// <summary>The header that every change of the console has. A page of another site cannot send it.</summary>
    public const string Header = "X-TaskQueue-Console";

    /// <summary>Scope of identities that see payloads where sessions do not.</summary>
    public const string PayloadScope = "payloads";

    public bool Has(HttpContext context) => SessionCookies.Has(context);

    public async ValueTask<Caller?> FindAsync(HttpContext context)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<KeysOnlyRoute>() is not null
            || cookies.Read(context) is not { } ticket || await CallerOfAsync(ticket, context.RequestAborted) is not { } caller)
            return null;
        context.Features.Set(caller); // for the audit of a refusal
        if (IsChange(context.Request))
            DemandChange(context.Request);
        return caller;
    }

    public void Check(HttpContext context)
    {
        if (options.Value.ReadOnly && IsChange(context.Request) && context.Request.Headers.ContainsKey(Header))
            throw ReadOnly();
    }

    /// <summary>The caller of a session; null if its key or its rights have ended.</summary>
    public async ValueTask<Caller?> CallerOfAsync(SessionTicket ticket, CancellationToken cancellationToken)
    {
        if (ticket.Key is { } digest)
            return await keys.FindAgainAsync(KeyDigest.FromHex(digest), cancellationToken) is { } caller
                ? Shown(caller, options.Value.ShowPayloads) : null;
        return ticket.Claims is { } claims && options.Value.Oidc.IsOn ? OfClaims(new TokenClaims(claims)) : null;
    }

    /// <summary>The caller that an identity's claims name, by the rules of tokens; null if they give no access.</summary>
    public Caller? OfClaims(TokenClaims claims)
    {
        var jwt = auth.CurrentValue.Jwt;
        return Tokens.ToCaller(claims, jwt) is { Scopes: not Scope.None } caller
            ? Shown(caller, options.Value.ShowPayloads || Tokens.Words(claims, jwt).Contains(PayloadScope, StringComparer.Ordinal)) : null;
    }

    /// <summary>Demands the header that only pages of this server can send.</summary>
    /// <exception cref="ApiException">403.</exception>
    public static void DemandHeader(HttpRequest request)
    {
        if (request.Headers[Header] is not ["1"])
            throw new ApiException(403, "console_header_missing", $"changes by a session of the console need the header {Header}: 1");
    }

    private void DemandChange(HttpRequest request)
    {
        DemandHeader(request);
        if (options.Value.ReadOnly)
            throw ReadOnly();
    }

    private static ApiException ReadOnly() => new(403, "read_only", "the console is read-only here; changes need an API key");

    private static bool IsChange(HttpRequest request) =>
        !HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method) && !HttpMethods.IsOptions(request.Method);

    /// <summary>A caller whose payloads are hidden does not claim either: workers get tasks as they are.</summary>
    private static Caller Shown(Caller caller, bool seesPayloads) =>
        seesPayloads ? caller
            : new Caller(caller.Name, caller.Tenant,
                [.. caller.Grants.Select(g => g with { Scope = g.Scope & ~Scope.Work }).Where(g => g.Scope != Scope.None)],
                caller.IsConfined)
            {
                HidesPayloads = true, Rate = caller.Rate, KeyId = caller.KeyId, ExpiresAt = caller.ExpiresAt,
            };
}
