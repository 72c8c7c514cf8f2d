using System.Text;
using System.Text.Json;

namespace TaskQueue.Engine;

/// <summary>What text every database and header can carry. Checked where text enters, whichever way it comes.</summary>
public static class TextRules
{
    /// <summary>The rule in words.</summary>
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

    /// <summary>
    /// The value of a JSON string; null for another kind of value, and for a string with half of a surrogate pair, which is no text.
    /// </summary>
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

    /// <summary>The string in a member of a JSON object; null where there is none: see <see cref="Read(JsonElement)"/>.</summary>
    public static string? Read(JsonElement value, string name)
    {
        try
        {
            return value.ValueKind == JsonValueKind.Object && value.TryGetProperty(name, out var member) ? Read(member) : null;
        }
        catch (InvalidOperationException)
        {
            return null; // the name of another member is no text
        }
    }

    /// <summary>Whether a text is clean and has no control characters, as names and keys must not.</summary>
    public static bool IsPlain(string? text) => IsClean(text) && text?.Any(char.IsControl) != true;

    /// <summary>The text without what cannot be stored: for what workers say, which is kept rather than refused.</summary>
    public static string? Clean(string? text)
    {
        if (IsClean(text))
            return text;
        var clean = new StringBuilder(text!.Length);
        foreach (var rune in text.EnumerateRunes()) // half of a pair is U+FFFD
        {
            if (rune.Value != 0)
                clean.Append(rune);
        }

        return clean.ToString();
    }
}
