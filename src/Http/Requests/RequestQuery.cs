using System.Globalization;
using TaskQueue.Http.Errors;

namespace TaskQueue.Http.Requests;

/// <summary>Reads query parameters of lists.</summary>
internal static class RequestQuery
{
    /// <summary>Refuses unknown query parameters: a misspelled filter would select everything.</summary>
    /// <exception cref="ApiException">400.</exception>
    public static void TakesOnly(this HttpContext context, params ReadOnlySpan<string> names)
    {
        foreach (var (name, values) in context.Request.Query)
        {
            if (!names.Contains(name))
                throw new ApiException(400, "invalid_request", $"'{name}' is not a query parameter of this request; it takes "
                    + string.Join(", ", names!));
            if (!Engine.TextRules.IsClean(values.ToString()))
                throw new ApiException(400, "invalid_request", $"{name}: {Engine.TextRules.Rule}");
        }
    }

    /// <summary>The length of a page.</summary>
    /// <exception cref="ApiException">400.</exception>
    public static int Limit(this HttpContext context, int standard, int most) =>
        context.Request.Query["limit"].ToString() is not { Length: > 0 } text ? standard
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit >= 1 && limit <= most ? limit
        : throw new ApiException(400, "invalid_request", $"limit must be 1 to {most}");
}
