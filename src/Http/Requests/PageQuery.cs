using System.Globalization;
using TaskQueue.Engine;
using TaskQueue.Http.Errors;

namespace TaskQueue.Http.Requests;

/// <summary>The query of a list with pages: <c>limit</c> and <c>cursor</c>, and the filters of the list; nothing else.</summary>
/// <param name="Limit">Rows of a page.</param>
/// <param name="Cursor">Where the page begins, as the previous page said; null: at the beginning.</param>
internal sealed record PageQuery(int Limit, string? Cursor)
{
    private const int DefaultLimit = 50;
    private const int MaxLimit = 200;

    /// <summary>Reads the query of a request.</summary>
    /// <param name="request">The request.</param>
    /// <param name="filters">Further parameters that the list knows.</param>
    /// <exception cref="ApiException">400.</exception>
    public static PageQuery Read(HttpRequest request, params IEnumerable<string> filters)
    {
        DemandKnown(request, [.. filters, "limit", "cursor"]);
        return new PageQuery(Number(request, "limit", DefaultLimit, MaxLimit), Single(request, "cursor"));
    }

    /// <summary>
    /// Demands that a query has no parameter that would be ignored (a mistyped filter must not answer with everything), and no text that
    /// cannot be stored.
    /// </summary>
    /// <exception cref="ApiException">400.</exception>
    public static void DemandKnown(HttpRequest request, params IReadOnlyCollection<string> known)
    {
        foreach (var (name, values) in request.Query)
        {
            if (!known.Contains(name, StringComparer.Ordinal))
                throw Wrong($"there is no query parameter '{WrongShape.Shown(name)}'; there are "
                    + (known.Count == 0 ? "none" : string.Join(", ", known)));
            if (!values.All(TextRules.IsClean))
                throw Wrong($"{name}: {TextRules.Rule}");
        }
    }

    /// <summary>The only value of a parameter, or null if it is missing.</summary>
    /// <exception cref="ApiException">400.</exception>
    public static string? Single(HttpRequest request, string name) =>
        request.Query[name] switch
        {
            { Count: 0 } => null,
            [{ Length: > 0 } value] => value,
            _ => throw Wrong($"{name} must have one value"),
        };

    /// <summary>A whole number from 1 to <paramref name="max"/>.</summary>
    /// <exception cref="ApiException">400.</exception>
    public static int Number(HttpRequest request, string name, int byDefault, int max) =>
        Single(request, name) is not { } text ? byDefault
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= 1 && number <= max ? number
        : throw Wrong($"{name} must be 1 to {max}");

    /// <summary>A cursor that is none of this list.</summary>
    public static ApiException WrongCursor() => Wrong("cursor must be next_cursor of another page");

    private static ApiException Wrong(string message) => new(400, "invalid_request", message);
}
