using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using TaskQueue.Api.Http;
using TaskQueue.Engine.Auth;

namespace TaskQueue.Api.Auth;

/// <summary>Who calls.</summary>
/// <param name="Name">The owner of what the caller makes; null where no keys are configured.</param>
/// <param name="Key">The bearer token as presented, or null.</param>
internal sealed record Caller(string? Name, string? Key)
{
    /// <summary>Nobody in particular: no keys are configured.</summary>
    public static readonly Caller Anyone = new(null, null);

    /// <summary>What the caller may look at, change and cancel.</summary>
    public Access Sees { get; } = Name is null ? Access.All : new Access(Name);

    /// <summary>What the caller may work on.</summary>
    public Access Works { get; } = Access.All;

    /// <summary>A queue that the caller names must be one that the key is for.</summary>
    /// <exception cref="DoorException">403.</exception>
    public void Demand(string queue)
    {
        if (!Works.Allows(queue))
            throw new DoorException(403, "forbidden", $"this key is not for queue {queue}");
    }
}

/// <summary>Checks bearer tokens against the configured keys.</summary>
internal sealed class ApiKeys(IOptionsMonitor<AuthOptions> options, TimeProvider time)
{
    private const string Bearer = "Bearer ";

    /// <summary>The caller of a request; null where its key is missing, unknown or expired. With no keys configured everybody may call.</summary>
    public Caller? Find(HttpRequest request)
    {
        // Where the header is absent a parameter of that name counts (bella.md 1.1).
        var header = request.Headers.Authorization.FirstOrDefault() ?? request.Query["Authorization"].FirstOrDefault();
        var token = header is not null && header.StartsWith(Bearer, StringComparison.Ordinal) ? header[Bearer.Length..] : null;
        var keys = options.CurrentValue.ApiKeys;
        if (keys.Count == 0)
            return new Caller(null, token);
        return token is not null && Find(keys, token) is { } key ? new Caller(key.Name, token) : null;
    }

    /// <summary>Looks at every key, so that the time says nothing of which one was nearly right.</summary>
    private ApiKeyOptions? Find(IEnumerable<ApiKeyOptions> keys, string token)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(token));
        ApiKeyOptions? found = null;
        foreach (var key in keys)
        {
            var other = key.KeyHash is { } hex ? Convert.FromHexString(hex) : SHA256.HashData(Encoding.UTF8.GetBytes(key.Key!));
            if (CryptographicOperations.FixedTimeEquals(hash, other) && !(key.ExpiresAt <= time.GetUtcNow()))
                found = key;
        }

        return found;
    }
}

internal static class ApiKeyFilter
{
    /// <summary>Demands a key where there are any; put it inside of <see cref="DoorFaults.AnswerFaults"/>.</summary>
    public static T DemandKey<T>(this T endpoints)
        where T : IEndpointConventionBuilder =>
        endpoints.AddEndpointFilter((context, next) =>
        {
            var http = context.HttpContext;
            var caller = http.RequestServices.GetRequiredService<ApiKeys>().Find(http.Request)
                ?? throw new DoorException(401, "unauthorized", "send a valid API key as 'Authorization: Bearer …'");
            http.Features.Set(caller);
            return next(context);
        });

    /// <summary>Demands that the queue in a value of the route is one that the key is for; put it inside of <see cref="DoorFaults.AnswerFaults"/>.</summary>
    public static T DemandQueue<T>(this T endpoints, string value)
        where T : IEndpointConventionBuilder =>
        endpoints.AddEndpointFilter((context, next) =>
        {
            if (context.HttpContext.GetRouteValue(value) is string queue)
                context.HttpContext.Caller().Demand(queue);
            return next(context);
        });

    /// <summary>Who calls; only behind <see cref="DemandKey"/>.</summary>
    public static Caller Caller(this HttpContext context) => context.Features.Get<Caller>() ?? Auth.Caller.Anyone;
}
