using System.Globalization;
using TaskQueue.Http.Errors;

namespace TaskQueue.Http.Requests;

/// <summary>Reads query parameters.</summary>
internal static class QueryRules
{
    private const int DefaultLimit = 50, MaxLimit = 200;

    /// <summary>Refuses parameters that the route does not have: a mistyped filter must not answer with everything.</summary>
    /// <exception cref="ApiException">400.</exception>
    public static void DemandKnown(this IQueryCollection query, params ReadOnlySpan<string> known)
    {
        foreach (var name in query.Keys)
        {
            if (!known.Contains(name))
                throw Wrong($"there is no query parameter '{name}'; there are {string.Join(", ", known)}");
        }
    }

    /// <summary>The only value of a parameter, or null.</summary>
    /// <exception cref="ApiException">400.</exception>
    public static string? Single(this IQueryCollection query, string name) =>
        query[name] switch
        {
            { Count: 0 } => null,
            [{ Length: > 0 } value] => value,
            _ => throw Wrong($"{name} must have one value"),
        };

    /// <summary>Parameter <c>limit</c> of a list: 1 to 200, default 50.</summary>
    /// <exception cref="ApiException">400.</exception>
    public static int Limit(this IQueryCollection query) =>
        query.Single("limit") is not { } text ? DefaultLimit
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit is >= 1 and <= MaxLimit ? limit
        : throw Wrong($"limit must be 1 to {MaxLimit}");

    private static ApiException Wrong(string message) => new(400, "invalid_request", message);
}
