using System.Net;
using System.Runtime.InteropServices;
using System.Threading.RateLimiting;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Quotas;
using TaskQueue.Http.Errors;

namespace TaskQueue.Http.Auth;

/// <summary>
/// Passes a request to its route or answers in the error format of its API. Before reading the body it checks concurrency,
/// credentials, scope and rate, in this order.
/// </summary>
internal sealed class AuthMiddleware(
    RequestDelegate next, ApiKeyStore keys, Tokens tokens, SubmitterTokens submitters, RequestLimits limits, AuthFailures failures,
    RequestQuota quota, ICallerSessions? sessions = null, ISignedCallers? signatures = null)
{
    private const string Bearer = "Bearer ", AzureKey = "api-key";

    internal static readonly ApiError Unauthorized =
        new(401, "unauthorized", "send a valid API key or token as 'Authorization: Bearer …'");
    internal static readonly ApiError Throttled = new(429, "too_many_failures",
        "too many requests with invalid keys or tokens from this address; wait, then send a valid one");
    private static readonly ApiError Busy = new(503, "busy", "the server has reached its limit of concurrent requests; try again");

    public Task InvokeAsync(HttpContext context) =>
        !keys.IsOn && StrangerFault(context.Request) is { } stranger ? ApiErrors.AnswerAsync(context, stranger)
        : context.GetEndpoint()?.Metadata.GetMetadata<NeededScope>() is { } needed ? AuthorizeAsync(context, needed.Scope)
        : next(context);

    private Task AuthorizeAsync(HttpContext context, Scope needed)
    {
        var route = context.GetEndpoint()!.Metadata;
        var isOperations = route.GetMetadata<OperationsRoute>() is not null;
        var place = isOperations || route.GetMetadata<WaitingRoute>() is not null ? null : limits.Enter();
        var check = place is { IsAcquired: false } ? new(Busy) : CheckAsync(context, needed, isCounted: !isOperations);
        return place is null && check.IsCompletedSuccessfully ? GoOnAsync(context, check.Result) : AuthorizeAsync(context, place, check);
    }

    private async Task AuthorizeAsync(HttpContext context, RateLimitLease? place, ValueTask<ApiError?> check)
    {
        using (place)
            await GoOnAsync(context, await check);
    }

    private Task GoOnAsync(HttpContext context, ApiError? fault) => fault is null ? next(context) : ApiErrors.AnswerAsync(context, fault);

    private async ValueTask<ApiError?> CheckAsync(HttpContext context, Scope needed, bool isCounted)
    {
        Found found;
        try
        {
            found = await FindAsync(context);
        }
        catch (ApiException refusal)
        {
            return refusal.Fault;
        }
        catch (Exception fault) when (StorageFaults.IsTransient(fault))
        {
            return ApiErrors.Unavailable;
        }

        if (found.Caller is not { } caller)
            return found.Fault ?? Unauthorized;
        context.Features.Set(caller);
        if (!caller.Scopes.HasFlag(needed))
            return new(403, "forbidden",
                $"this key lacks the scope {Scopes.Word(needed)}, which {context.Request.Method} {context.Request.Path} needs");
        if (isCounted && limits.Count(caller) is { } wait)
            return new(429, "rate_limited", "too many requests with this key; try again later") { RetryAfter = wait };
        if (isCounted && await quota.CountAsync(caller.Tenant) is { } refused)
            return ApiErrors.ToFault(refused);
        return null;
    }

    private ValueTask<Found> FindAsync(HttpContext context)
    {
        var request = context.Request;
        var header = request.Headers.Authorization.FirstOrDefault();
        var isV1 = request.Path.StartsWithSegments("/v1", StringComparison.Ordinal);
        // For bella's clients a query parameter replaces a missing header (bella.md 1.1).
        if (header is null && isV1)
            header = request.Query["Authorization"].FirstOrDefault();
        // Azure's clients of OpenAI's API send the key alone.
        var token = header is null ? isV1 ? request.Headers[AzureKey].FirstOrDefault() : null
            : header.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) ? header[Bearer.Length..] : null;
        if (!keys.IsOn)
        {
            sessions?.Check(context);
            return new(new Found(Caller.Anyone));
        }

        if (string.IsNullOrEmpty(token))
            return header is not null ? new(Missing())
                : signatures?.Has(context) == true ? OfSignatureAsync(context)
                : sessions?.Has(context) == true ? OfSessionAsync(context)
                : new(Missing());

        // Keys and tokens known in memory are accepted regardless of failures from the same address.
        var digest = KeyDigest.Of(token);
        var caller = keys.Find(token, digest)
            ?? (token.StartsWith(SubmitterTokens.Prefix, StringComparison.Ordinal) ? submitters.Find(token) : tokens.FindVerified(digest));
        return caller is null ? CheckUnknownAsync(context, token, digest) : new(new Found(caller));
    }

    private async ValueTask<Found> OfSessionAsync(HttpContext context) =>
        await sessions!.FindAsync(context) is { } caller ? new Found(caller) : Missing();

    /// <summary>A signature is always checked, so that a caller is not refused because of others at its address.</summary>
    private async ValueTask<Found> OfSignatureAsync(HttpContext context)
    {
        if (await signatures!.FindAsync(context) is { } caller)
            return new Found(caller);
        if (failures.Take(context.Connection.RemoteIpAddress) is { } wait)
            return Refused(wait);

        failures.Count("invalid");
        return default;
    }

    private Found Refused(TimeSpan wait)
    {
        failures.Count("throttled");
        return new(null, Throttled with { RetryAfter = wait });
    }

    private Found Missing()
    {
        failures.Count("missing");
        return default;
    }

    private async ValueTask<Found> CheckUnknownAsync(HttpContext context, string token, KeyDigest digest)
    {
        var (address, isCounted) = (context.Connection.RemoteIpAddress, !tokens.Knows(digest));
        if (isCounted && failures.Take(address) is { } wait)
            return Refused(wait);

        Caller? caller = null;
        var isChecked = false;
        try
        {
            caller = token.StartsWith(KeyDigest.Prefix, StringComparison.Ordinal)
                ? await keys.FindNewAsync(token, context.RequestAborted)
                : await tokens.FindAsync(token, context.RequestAborted);
            isChecked = true;
        }
        finally
        {
            if (isCounted
                && (caller is not null
                    || (!isChecked && !context.RequestAborted.IsCancellationRequested))) // an early disconnect may be a guess too
                failures.Refund(address);
        }

        if (caller is null)
            failures.Count("invalid");
        return new(caller);
    }

    /// <summary>
    /// Without keys any caller that reaches the socket may do anything, and a local browser reaches it on behalf of any page. The
    /// request must therefore name this machine as host and must not come from a page of another origin.
    /// </summary>
    private static ApiError? StrangerFault(HttpRequest request)
    {
        if (!IsThisMachine(request.Host.Host))
            return new(403, "forbidden_host", $"without API keys only requests to localhost are accepted, not to '{request.Host.Host}'");
        var origin = request.Headers.Origin.FirstOrDefault();
        return origin is null || IsOwn(origin, request)
            ? null
            : new(403, "forbidden_origin", $"without API keys only requests from the server's own pages are accepted, not from '{origin}'");
    }

    private static bool IsOwn(string origin, HttpRequest request) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var page) && page.Scheme == request.Scheme
        && Uri.TryCreate($"{request.Scheme}://{request.Host}", UriKind.Absolute, out var own) && page.Authority == own.Authority;

    private static bool IsThisMachine(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip));

    /// <summary>The caller, or why there is none.</summary>
    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Found(Caller? Caller, ApiError? Fault = null);
}
