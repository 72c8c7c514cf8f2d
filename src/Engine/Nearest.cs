using System.Globalization;

namespace TaskQueue.Engine;

/// <summary>Finds the known word that a mistyped one most likely means, for error messages.</summary>
public static class Nearest
{
    /// <summary>Longer words are not compared: the cost is the product of both lengths.</summary>
    private const int MaxLength = 64;

    /// <summary>The nearest known word, or null if none resembles it. Case, <c>_</c>, <c>-</c> and the plural count little.</summary>
    /// <param name="word">The unknown word.</param>
    /// <param name="known">The known words.</param>
    /// <param name="most">The most letters that may differ; without it, a third of the longer word.</param>
    public static string? Of(string word, IEnumerable<string> known, int most = MaxLength)
    {
        ArgumentNullException.ThrowIfNull(word);
        ArgumentNullException.ThrowIfNull(known);
        if (word.Length is 0 or > MaxLength)
            return null;
        var plain = Plain(word);
        var best = known.Where(k => k.Length <= MaxLength)
            .Select(k => (Word: k, Plain: Plain(k)))
            .Select(k => (k.Word, Distance: Distance(plain, k.Plain),
                Limit: Math.Min(most, Math.Max(1, Math.Max(plain.Length, k.Plain.Length) / 3))))
            .Where(k => k.Distance <= k.Limit)
            .OrderBy(k => k.Distance).ThenBy(k => k.Word, StringComparer.Ordinal).FirstOrDefault();
        return best.Word;
    }

    /// <summary><c>; did you mean …?</c>, or nothing.</summary>
    public static string Hint(string word, IEnumerable<string> known, string prefix = "") =>
        Of(word, known) is { } nearest ? $"; did you mean {prefix}{nearest}?" : "";

    private static string Plain(string word) =>
        word.Replace("_", "", StringComparison.Ordinal).Replace("-", "", StringComparison.Ordinal).ToLower(CultureInfo.InvariantCulture);

    /// <summary>Insertions, deletions, replacements and swaps of neighbours that lead from one text to the other.</summary>
    private static int Distance(string a, string b)
    {
        var (before, last, next) = (new int[b.Length + 1], new int[b.Length + 1], new int[b.Length + 1]);
        for (var j = 0; j <= b.Length; j++)
            last[j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            next[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var change = a[i - 1] == b[j - 1] ? 0 : 1;
                next[j] = Math.Min(Math.Min(next[j - 1], last[j]) + 1, last[j - 1] + change);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    next[j] = Math.Min(next[j], before[j - 2] + 1);
            }

            (before, last, next) = (last, next, before);
        }

        return last[b.Length];
    }
}
