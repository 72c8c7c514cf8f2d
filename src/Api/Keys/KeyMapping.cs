using System.Text.Json;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Quotas;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.Keys;

/// <summary>Maps between <c>/keys</c> and key rows.</summary>
internal static class KeyMapping
{
    private const int MaxPatterns = 100;

    /// <summary>Maps a request to a row without its hash. Does not check the caller's rights.</summary>
    /// <exception cref="ApiException">400.</exception>
    public static ApiKeyRecord ToRecord(KeyBody body, Caller caller, TimeProvider time)
    {
        var name = CallerNames.IsValid(body.Name) ? body.Name! : throw Wrong($"name must be {CallerNames.Rule}");
        if (body.Tenant is not null && !CallerNames.IsValid(body.Tenant))
            throw Wrong($"tenant must be {CallerNames.Rule}");
        var scopes = List(body.Scopes, "scopes", Scopes.IsValid, Scopes.Rule) ?? Scopes.Default;
        if (scopes.Count == 0)
            throw Wrong("scopes must name at least one scope");
        var queues = List(body.Queues, "queues", QueuePatterns.IsValid, QueuePatterns.Rule);
        if (Scopes.IsWorkEverywhere(scopes, queues))
            throw Wrong("""the scope work needs queues: list those that it works on, or ["*"] for those of every tenant""");
        var now = Micros.Now(time);
        return new ApiKeyRecord
        {
            Id = Guid.CreateVersion7(time.GetUtcNow()),
            Name = name,
            Tenant = body.Tenant ?? (caller.IsOperator ? name : caller.Tenant!),
            ScopesText = KeyTexts.OfScopes(scopes, isConfined: body.Tenant is not null || !caller.IsOperator),
            QueuesText = KeyTexts.OfQueues(queues),
            RateText = KeyTexts.OfRate(ToRate(body.Rate)),
            QuotaText = ToQuota(body.Quota),
            ExpiresAt = ToExpiry(body.ExpiresAt, now),
            CreatedAt = now,
            CreatedBy = caller.Name,
        };
    }

    /// <param name="key">The row.</param>
    /// <param name="text">The secret, if it is to be shown.</param>
    public static KeyDetails ToDetails(ApiKeyRecord key, string? text = null) => new(
        key.Id, key.Name, key.Tenant, !KeyTexts.IsConfined(key), KeyTexts.Scopes(key), KeyTexts.Queues(key), key.ExpiresAt,
        KeyTexts.Rate(key) is { } rate ? new KeyRate(rate.PerSecond, rate.Burst) : null,
        key.QuotaText is { } quota ? JsonSerializer.Deserialize(quota, KeyJson.Instance.KeyQuota) : null,
        key.CreatedAt, key.CreatedBy, key.LastUsedAt, key.PreviousUntil, text);

    public static ApiException Wrong(string message) => new(400, "invalid_request", message);

    private static List<string>? List(IReadOnlyList<string?>? values, string name, Func<string?, bool> isValid, string rule) =>
        values is null ? null
        : values.Count > MaxPatterns ? throw Wrong($"{name} must have at most {MaxPatterns} entries")
        : values.FirstOrDefault(v => !isValid(v)) is var wrong && values.All(isValid) ? [.. values.OfType<string>()]
        : throw Wrong($"'{wrong}' among {name} is not {rule}");

    private static RequestRate? ToRate(KeyRate? rate)
    {
        if (rate is null)
            return null;
        var read = new RequestRate { PerSecond = rate.PerSecond ?? 0, Burst = rate.Burst };
        return read.Problem is null ? read : throw Wrong("rate must have per_second, and may have burst, of 1 to 1000000");
    }

    private static string? ToQuota(KeyQuota? quota)
    {
        if (quota is null)
            return null;
        var text = JsonSerializer.Serialize(quota, KeyJson.Instance.KeyQuota);
        return QuotaLimits.FromText(text).Problem is { } problem ? throw Wrong($"quota: {problem}") : text;
    }

    private static DateTime? ToExpiry(JsonElement? value, DateTime now)
    {
        if (value is not { ValueKind: not (JsonValueKind.Null or JsonValueKind.Undefined) } given)
            return null;
        var time = PointInTime.Parse(given) ?? throw Wrong($"expires_at must be {PointInTime.Rule}");
        return time > now ? Micros.Cut(time) : throw Wrong("expires_at must be in the future");
    }
}
