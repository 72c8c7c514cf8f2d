using System.Text;
using System.Text.Json;

namespace TaskQueue.Engine;

/// <summary>Text that every database and header can carry. Checked at every entry point.</summary>
public static class TextRules
{
    /// <summary>The rule, for error messages.</summary>
    public const string Rule = "text must not contain the character U+0000 or half of a surrogate pair";

    /// <summary>Whether a text can be stored and sent: no NUL, and no half of a surrogate pair. Null can.</summary>
    public static bool IsClean(string? text)
    {
        if (text is null)
            return true;
        var rest = text.AsSpan();
        while (true)
        {
            var at = rest.IndexOfAnyInRange('\ud800', '\udfff');
            if ((at < 0 ? rest : rest[..at]).Contains('\0'))
                return false;
            if (at < 0)
                return true;
            if (at + 1 >= rest.Length || !char.IsSurrogatePair(rest[at], rest[at + 1]))
                return false;
            rest = rest[(at + 2)..];
        }
    }

    /// <summary>The value of a JSON string; null for another kind of value, and for a string with half of a surrogate pair.</summary>
    public static string? Read(JsonElement value)
    {
        try
        {
            return value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>The string member of a JSON object; null if there is none: see <see cref="Read(JsonElement)"/>.</summary>
    public static string? Read(JsonElement value, string name)
    {
        try
        {
            return value.ValueKind == JsonValueKind.Object && value.TryGetProperty(name, out var member) ? Read(member) : null;
        }
        catch (InvalidOperationException)
        {
            return null; // the name of another member has half of a surrogate pair
        }
    }

    /// <summary>Whether a text is clean and has no control characters, as names and keys must not.</summary>
    public static bool IsPlain(string? text) => IsClean(text) && text?.Any(char.IsControl) != true;

    /// <summary>The beginning of a text, without half of a surrogate pair.</summary>
    [return: System.Diagnostics.CodeAnalysis.NotNullIfNotNull(nameof(text))]
    public static string? Cut(string? text, int length) =>
        text is null || text.Length <= length ? text : text[..(char.IsHighSurrogate(text[length - 1]) ? length - 1 : length)];

    /// <summary>Removes what cannot be stored, for texts of workers, which are kept rather than rejected.</summary>
    public static string? Clean(string? text)
    {
        if (IsClean(text))
            return text;
        var clean = new StringBuilder(text!.Length);
        foreach (var rune in text.EnumerateRunes()) // half of a pair becomes U+FFFD
        {
            if (rune.Value != 0)
                clean.Append(rune);
        }

        return clean.ToString();
    }
}
