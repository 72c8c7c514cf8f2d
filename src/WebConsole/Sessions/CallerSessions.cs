using Microsoft.Extensions.Options;
using TaskQueue.Engine.Auth;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.WebConsole.Sessions;

/// <summary>Finds the caller of a session anew with each request, so that a session ends with its key.</summary>
internal sealed class CallerSessions(
    SessionCookies cookies, ApiKeyStore keys, AuthFailures failures, IOptionsMonitor<AuthOptions> auth, IOptions<ConsoleOptions> options)
    : ICallerSessions
{
    /// <summary>The header that every change of the console has. A page of another site cannot send it.</summary>
    public const string Header = "X-TaskQueue-Console";

    /// <summary>Scope of identities that see payloads where sessions do not.</summary>
    public const string PayloadScope = "payloads";

    public bool Has(HttpContext context) => SessionCookies.Has(context);

    public async ValueTask<Caller?> FindAsync(HttpContext context)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<KeysOnlyRoute>() is not null
            || cookies.Read(context) is not { } ticket || await CallerOfAsync(ticket, context) is not { } caller)
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
    /// <exception cref="ApiException">429: too many guesses from the address.</exception>
    public async ValueTask<Caller?> CallerOfAsync(SessionTicket ticket, HttpContext context)
    {
        if (ticket.Key is { } digest)
            return await OfKeyAsync(KeyDigest.FromHex(digest), context) is { } caller ? Shown(caller, options.Value.ShowPayloads) : null;
        return options.Value.Oidc.IsOn ? OfClaims(ticket) : null;
    }

    /// <summary>Looks for a key that is not in memory; if there is none, that costs a token of the address.</summary>
    /// <exception cref="ApiException">429.</exception>
    public async ValueTask<Caller?> FindNewAsync(HttpContext context, Func<ValueTask<Caller?>> find)
    {
        var address = context.Connection.RemoteIpAddress;
        if (failures.Take(address) is { } wait)
        {
            failures.Count("throttled");
            throw new ApiException(AuthMiddleware.Throttled with { RetryAfter = wait });
        }

        var isGuess = true;
        try
        {
            var caller = await find();
            isGuess = caller is null;
            return caller;
        }
        catch (Exception) when (!context.RequestAborted.IsCancellationRequested)
        {
            isGuess = false; // it was not checked
            throw;
        }
        finally
        {
            if (isGuess)
                failures.Count("invalid");
            else
                failures.Refund(address);
        }
    }

    /// <summary>
    /// The caller that an identity's claims name, by the rules of tokens, until its session ends; null if they give no access.
    /// </summary>
    public Caller? OfClaims(SessionTicket ticket)
    {
        if (ticket.Claims is not { } json)
            return null;
        var (claims, jwt) = (new TokenClaims(json), auth.CurrentValue.Jwt);
        return Tokens.ToCaller(claims, jwt) is { Scopes: not Scope.None } caller
            ? Shown(caller with { ExpiresAt = DateTimeOffset.FromUnixTimeSeconds(ticket.Ends).UtcDateTime },
                options.Value.ShowPayloads || Tokens.Words(claims, jwt).Contains(PayloadScope, StringComparer.Ordinal)) : null;
    }

    /// <summary>Demands the header that only pages of this server can send.</summary>
    /// <exception cref="ApiException">403.</exception>
    public static void DemandHeader(HttpRequest request)
    {
        if (request.Headers[Header] is not ["1"])
            throw new ApiException(403, "console_header_missing", $"changes by a session of the console need the header {Header}: 1");
    }

    private async ValueTask<Caller?> OfKeyAsync(KeyDigest digest, HttpContext context) =>
        keys.Knows(digest) ? keys.FindAgain(digest)
            : await FindNewAsync(context, () => keys.FindNewAsync(digest, context.RequestAborted));

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
