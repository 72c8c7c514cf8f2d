using System.Text.Json;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;

namespace TaskQueue.Http.Auth;

/// <summary>Claims of a token. Claim names are case-sensitive (RFC 7519, 4) and unique.</summary>
internal sealed class TokenClaims(JsonElement payload)
{
    private const double MaxSeconds = 253402300799; // the end of the year 9999

    private static readonly TimeSpan Skew = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Whether the token is valid at this time, from the issuer and for the audience. Requires <c>exp</c>; other claims, if present,
    /// must be well-formed.
    /// </summary>
    public bool Fits(JwtOptions jwt, DateTimeOffset now) =>
        IsLive(jwt.MaxLifetime, now)
        && (Has("iss") ? Text("iss") is { } issuer && (jwt.Issuer is null || issuer == jwt.Issuer) : jwt.Issuer is null)
        && (Has("aud") ? Words("aud", split: false) is { } audiences && jwt.Audience is not null && audiences.Contains(jwt.Audience)
            : jwt.Audience is null);

    /// <summary>Expiry time; valid only if <see cref="Fits"/>.</summary>
    public DateTime? ExpiresAt => TryGetTime("exp", out var until) ? until?.UtcDateTime : null;

    public bool Has(string claim) => payload.TryGetProperty(claim, out _);

    /// <summary>A string claim; null if missing or of another type.</summary>
    public string? Text(string claim) => payload.TryGetProperty(claim, out var value) ? TextRules.Read(value) : null;

    /// <summary>A string claim, optionally split into words, or a list of strings; null if missing or of another type.</summary>
    public IReadOnlyList<string>? Words(string claim, bool split = true)
    {
        if (!payload.TryGetProperty(claim, out var value))
            return null;
        var texts = value.ValueKind == JsonValueKind.Array ? value.EnumerateArray().Select(TextRules.Read).ToList()
            : [TextRules.Read(value)];
        if (texts.Contains(null))
            return null;
        return split ? [.. texts.SelectMany(t => t!.Split(' ', StringSplitOptions.RemoveEmptyEntries))] : [.. texts.Select(t => t!)];
    }

    private bool IsLive(TimeSpan? maxLifetime, DateTimeOffset now)
    {
        if (!TryGetTime("exp", out var until) || !TryGetTime("nbf", out var from) || !TryGetTime("iat", out var issued))
            return false;
        return until > now && !(from > now + Skew) && !(issued > now + Skew)
            && (maxLifetime is not { } max || until - issued <= max);
    }

    /// <summary>Reads a NumericDate: seconds, with or without a fraction.</summary>
    /// <param name="claim">Name of the claim.</param>
    /// <param name="time">Null if the claim is missing.</param>
    /// <returns>False if the claim is present but invalid.</returns>
    private bool TryGetTime(string claim, out DateTimeOffset? time)
    {
        time = null;
        if (!payload.TryGetProperty(claim, out var value))
            return true;
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out var seconds) || seconds is not (>= 0 and <= MaxSeconds))
            return false;
        time = DateTimeOffset.UnixEpoch.AddSeconds(seconds);
        return true;
    }
}
