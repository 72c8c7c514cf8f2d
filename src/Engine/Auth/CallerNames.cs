using System.Globalization;
using System.Text;

namespace TaskQueue.Engine.Auth;

/// <summary>Rules for names of callers and tenants: they appear in logs and pages, and are compared ordinally.</summary>
public static class CallerNames
{
    /// <summary>Maximum length of a name.</summary>
    public const int MaxLength = 128;

    /// <summary>The rule, for error messages.</summary>
    public const string Rule = "1 to 128 characters without control, format, private-use and unpaired surrogate characters, and no space "
        + "at either end";

    /// <summary>Whether a text is a valid name. Names are not normalised: two that look alike are distinct.</summary>
    public static bool IsValid(string? name)
    {
        if (name is not { Length: >= 1 and <= MaxLength } || char.IsWhiteSpace(name[0]) || char.IsWhiteSpace(name[^1]))
            return false;
        for (var rest = name.AsSpan(); rest.Length > 0;)
        {
            if (Rune.DecodeFromUtf16(rest, out var rune, out var length) != System.Buffers.OperationStatus.Done || !IsVisible(rune))
                return false;
            rest = rest[length..];
        }

        return true;
    }

    /// <summary>Zero-width characters and directional marks (Cf) can make two names look the same.</summary>
    private static bool IsVisible(Rune rune) => Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse
        or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
}
