using Microsoft.Extensions.Options;
using TaskQueue.Engine.Auth;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.WebConsole.Sessions;

/// <summary>Signing in with an API key, signing out, and who is signed in.</summary>
internal static class SessionEndpoints
{
    private const int MaxBody = 16 * 1024;
    private const string Target = "console";

    private static readonly Scope[] Each = [Scope.Enqueue, Scope.Work, Scope.Read, Scope.Admin];

    private static readonly string Version = typeof(SessionEndpoints).Assembly.GetName().Version!.ToString(3);

    public static void MapSessions(this IEndpointRouteBuilder app)
    {
        var session = app.MapGroup("/console/session").WithTags("console").AnswerFaults(ApiErrors.Problem).Open().ExcludeFromDescription();
        session.MapGet("", GetAsync).Produces<SessionDetails>().WithSummary("Who is signed in to the web console, and how one may.");
        session.MapPost("", SignInAsync).Audited("console.sign_in").TakesJson<SignInBody>().Produces<SessionDetails>()
            .ProducesProblem(400).ProducesProblem(401).ProducesProblem(403).ProducesProblem(409).ProducesProblem(429)
            .WithSummary("Sign in with an API key. Needs the header X-TaskQueue-Console: 1, and answers with a cookie.");
        session.MapDelete("", SignOutAsync).Audited("console.sign_out", onlyWhenNoted: true).Produces(204).ProducesProblem(403)
            .WithSummary("Sign out. Needs the header X-TaskQueue-Console: 1.");
    }

    private static async Task<IResult> GetAsync(HttpContext context, ApiKeyStore keys, SessionCookies cookies, CallerSessions sessions)
    {
        if (!keys.IsOn)
            return Answer(context, Caller.Anyone, null);
        var ticket = cookies.Read(context);
        var caller = ticket is null ? null : await sessions.CallerOfAsync(ticket, context);
        if (caller is null && SessionCookies.Has(context))
            SessionCookies.Remove(context);
        return Answer(context, caller, ticket);
    }

    private static async Task<IResult> SignInAsync(HttpContext context, ApiKeyStore keys, SessionCookies cookies,
        CallerSessions sessions)
    {
        CallerSessions.DemandHeader(context.Request);
        context.AuditTarget(Target);
        var body = await RequestJson.ReadAsync(context, SessionJson.Instance.SignInBody, MaxBody);
        if (body.Key is not { Length: > 0 } key)
            throw new ApiException(400, "invalid_request", "the body must be {\"key\": \"…\"} with an API key");
        if (!keys.IsOn)
            throw new ApiException(409, "authentication_off", "this server has no keys: nobody needs to sign in");
        var digest = KeyDigest.Of(key);
        if ((keys.Find(key, digest) ?? await sessions.FindNewAsync(context, () => keys.FindNewAsync(key, context.RequestAborted))) is null)
            throw new ApiException(401, AuthMiddleware.Unauthorized.Code, "this is not a valid API key");
        var ticket = new SessionTicket(cookies.End.ToUnixTimeSeconds(), digest.ToHex(), null);
        var caller = await sessions.CallerOfAsync(ticket, context)
            ?? throw new ApiException(401, AuthMiddleware.Unauthorized.Code, "this key has just ended");
        context.Features.Set(caller);
        cookies.Write(context, ticket);
        return Answer(context, caller, ticket);
    }

    private static async Task<IResult> SignOutAsync(HttpContext context, SessionCookies cookies, CallerSessions sessions)
    {
        CallerSessions.DemandHeader(context.Request);
        SessionCookies.Remove(context);
        if (cookies.Read(context) is { } ticket && await sessions.CallerOfAsync(ticket, context) is { } caller)
        {
            context.Features.Set(caller);
            context.AuditTarget(Target);
        }

        return Results.NoContent();
    }

    private static IResult Answer(HttpContext context, Caller? caller, SessionTicket? ticket)
    {
        var options = context.RequestServices.GetRequiredService<IOptions<ConsoleOptions>>().Value;
        var isOn = context.RequestServices.GetRequiredService<ApiKeyStore>().IsOn;
        var signedIn = caller is null ? null : ticket;
        return Results.Json(new SessionDetails(
            isOn ? "key" : "none", !isOn ? [] : options.Oidc.IsOn ? ["key", "oidc"] : ["key"],
            caller is null ? null
                : new SessionCaller(caller.Name, caller.Tenant, [.. Each.Where(s => caller.Scopes.HasFlag(s)).Select(Scopes.Word)],
                    caller.IsOperator, !isOn ? null : signedIn?.Key is null ? "oidc" : "key"),
            options.ReadOnly, caller?.HidesPayloads == false, CallerSessions.Header,
            signedIn is null ? null : DateTimeOffset.FromUnixTimeSeconds(signedIn.Ends).UtcDateTime, Version,
            context.Request.PathBase.ToUriComponent()), SessionJson.Instance.SessionDetails);
    }
}
