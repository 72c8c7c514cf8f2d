using System.Globalization;

namespace TaskQueue.Engine.Queues;

/// <summary>Rules for names of queues and schedules (moab.md 2).</summary>
public static class QueueNames
{
    /// <summary>The highest tier.</summary>
    public const int MaxTier = ushort.MaxValue;

    /// <summary>Maximum length of a name.</summary>
    public const int MaxLength = 128;

    /// <summary>The rule, for error messages.</summary>
    public const string Rule = "letters, digits, '-' and '_', 1 to 128 of them";

    /// <summary>Whether a base name is valid.</summary>
    public static bool IsValid(string? name) =>
        name is { Length: >= 1 and <= MaxLength } && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');

    /// <summary>Parses <c>name:tier</c>, or <c>name</c> alone for tier 0; null if the text is invalid.</summary>
    public static QueueTier? Parse(string? text, bool tierRequired = false)
    {
        var parts = (text ?? "").Split(':');
        if (parts.Length > 2 || !IsValid(parts[0]) || (tierRequired && parts.Length == 1))
            return null;
        var tier = 0;
        if (parts.Length == 2 && !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out tier))
            return null;
        return tier <= MaxTier ? new QueueTier(parts[0], tier) : null;
    }
}
