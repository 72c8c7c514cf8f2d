using System.Text;

namespace TaskQueue.Http.Auth;

/// <summary>
/// Finds values of named members in free text: <c>"pin": "…"</c>, <c>pin=…</c>, <c>pin: …</c>, with or without escaped quotes,
/// possibly truncated. If the end of a value is ambiguous, more is hidden.
/// </summary>
internal static class TextScan
{
    /// <summary>Replaces the values with a mark.</summary>
    public static string Hide(string text, IReadOnlyCollection<string> members, string mark)
    {
        var shown = new StringBuilder(text.Length);
        var from = 0;
        for (var at = 0; at < text.Length;)
        {
            if (NameAt(text, at, members) is not { } name || ValueAt(text, at + name.Length) is not var (begin, end))
            {
                at++;
                continue;
            }

            shown.Append(text, from, begin - from).Append(mark);
            from = at = end;
        }

        return from == 0 ? text : shown.Append(text, from, text.Length - from).ToString();
    }

    /// <summary>The longest member name at this position that forms a whole word.</summary>
    private static string? NameAt(string text, int at, IReadOnlyCollection<string> members)
    {
        if (at > 0 && IsOfName(text[at - 1]))
            return null;
        string? found = null;
        foreach (var name in members)
        {
            if (name.Length > (found?.Length ?? 0)
                && string.Compare(text, at, name, 0, name.Length, StringComparison.OrdinalIgnoreCase) == 0
                && (at + name.Length == text.Length || !IsOfName(text[at + name.Length])))
                found = name;
        }

        return found;
    }

    private static bool IsOfName(char c) => char.IsLetterOrDigit(c) || c is '_' or '-';

    /// <summary>The value after a name, without quotes; null if none follows.</summary>
    private static (int Begin, int End)? ValueAt(string text, int at)
    {
        while (at < text.Length && text[at] is '"' or '\'' or '\\')
            at++;
        at = SkipSpace(text, at);
        if (at >= text.Length || text[at] is not (':' or '='))
            return null;
        while (at < text.Length && text[at] is ':' or '=' or '>') // also accepts => and :=
            at++;
        at = SkipSpace(text, at);
        if (at >= text.Length)
            return null;
        if (text[at] is '{' or '[')
            return (at, EndOfNested(text, at));
        var slashes = 0;
        while (at + slashes < text.Length && text[at + slashes] == '\\')
            slashes++;
        var open = at + slashes;
        return open < text.Length && text[open] is '"' or '\''
            ? (open + 1, EndOfQuoted(text, open + 1, text[open], slashes))
            : (at, EndOfBare(text, at));
    }

    private static int SkipSpace(string text, int at)
    {
        while (at < text.Length && char.IsWhiteSpace(text[at]))
            at++;
        return at;
    }

    /// <summary>The closing quote is preceded by as many backslashes as the opening one; the value ends before them.</summary>
    private static int EndOfQuoted(string text, int at, char quote, int slashes)
    {
        for (var run = 0; at < text.Length; at++)
        {
            if (text[at] == quote && run <= slashes)
                return at - run;
            run = text[at] == '\\' ? run + 1 : 0;
        }

        return text.Length;
    }

    private static int EndOfNested(string text, int at)
    {
        var (depth, inString) = (0, false);
        for (; at < text.Length; at++)
        {
            if (text[at] == '\\')
                at++;
            else if (text[at] == '"')
                inString = !inString;
            else if (!inString && text[at] is '{' or '[')
                depth++;
            else if (!inString && text[at] is '}' or ']' && --depth == 0)
                return at + 1;
        }

        return text.Length;
    }

    /// <summary>The value is one word, or two for a credential with its scheme.</summary>
    private static int EndOfBare(string text, int at)
    {
        var end = EndOfWord(text, at);
        var word = text.AsSpan(at, end - at);
        return word.Equals("Bearer", StringComparison.OrdinalIgnoreCase) || word.Equals("Basic", StringComparison.OrdinalIgnoreCase)
            ? EndOfWord(text, SkipSpace(text, end))
            : end;
    }

    private static int EndOfWord(string text, int at)
    {
        while (at < text.Length && !char.IsWhiteSpace(text[at])
            && text[at] is not (',' or ';' or '&' or ')' or ']' or '}' or '"' or '\'' or '<'))
            at++;
        return at;
    }
}
