using System.Text;
using TaskQueue.Http.Errors;

namespace TaskQueue.Adapters.Moab;

/// <summary>A page of a list, and the tokens of the adjacent pages; "": none.</summary>
internal sealed record MoabPage<T>(IReadOnlyList<T> Items, string Next, string Previous);

/// <summary>
/// Pages lists that are read as a whole, queues and schedules, by name. A token consists of a letter for the list, a letter for the
/// direction, and the name to continue from.
/// </summary>
internal static class MoabPages
{
    private const int DefaultLimit = 100, MaxLimit = 250, MaxToken = 1024;
    private const char Forward = 'n', Backward = 'p';
    private const string BeforeAll = "!", BehindAll = "~"; // sort before and after every character of a name

    /// <exception cref="ApiException">400.</exception>
    public static int Limit(long? limit) =>
        limit is null or 0 ? DefaultLimit : limit is > 0 and <= MaxLimit ? (int)limit
            : throw MoabFields.Wrong($"limit must be 1 to {MaxLimit}, or 0 for {DefaultLimit}");

    /// <summary>Decodes a token; null if none is given.</summary>
    /// <exception cref="ApiException">400: the token is not base64.</exception>
    public static byte[]? Token(string? text)
    {
        if (string.IsNullOrEmpty(text))
            return null;
        var bytes = new byte[MaxToken];
        return text.Length <= MaxToken && Convert.TryFromBase64String(text, bytes, out var length) && length > 0 ? bytes[..length]
            : throw WrongToken();
    }

    public static ApiException WrongToken() => MoabFields.Wrong("pagination_token must be one from an earlier answer to the same question");

    /// <summary>Returns a page of named items.</summary>
    /// <param name="list">A distinct letter per list; a token is valid for one list only.</param>
    /// <param name="items">All items.</param>
    /// <param name="name">Selects the name, which defines the order.</param>
    /// <param name="token">Token from an earlier response.</param>
    /// <param name="limit">Page size.</param>
    /// <exception cref="ApiException">400: the token belongs to another list.</exception>
    public static MoabPage<T> Of<T>(char list, IEnumerable<T> items, Func<T, string> name, string? token, int limit)
    {
        var all = items.OrderBy(name, StringComparer.Ordinal).ToList();
        var (from, to) = (0, all.Count);
        if (Token(token) is { } bytes)
        {
            if (bytes.Length < 3 || bytes[0] != list || (char)bytes[1] is not (Forward or Backward))
                throw WrongToken();
            var mark = Encoding.UTF8.GetString(bytes.AsSpan(2));
            if (bytes[1] == Forward)
                from = all.TakeWhile(item => string.CompareOrdinal(name(item), mark) <= 0).Count();
            else
                (from, to) = Before(all.TakeWhile(item => string.CompareOrdinal(name(item), mark) < 0).Count(), limit);
        }

        to = Math.Min(to, from + limit);
        return new(
            all[from..to],
            to < all.Count ? Write(list, Forward, to > 0 ? name(all[to - 1]) : BeforeAll) : "",
            from > 0 ? Write(list, Backward, from < all.Count ? name(all[from]) : BehindAll) : "");
    }

    private static (int From, int To) Before(int end, int limit) => (Math.Max(0, end - limit), end);

    private static string Write(char list, char direction, string mark) =>
        Convert.ToBase64String(Encoding.UTF8.GetBytes($"{list}{direction}{mark}"));
}
