using System.Text;

namespace TaskQueue.Engine.Failures;

/// <summary>Limits of what a report says about an error.</summary>
public static class FailureRules
{
    /// <summary>Characters of the type of an error.</summary>
    public const int MaxErrorType = 200;

    /// <summary>UTF-8 bytes of a stack.</summary>
    public const int MaxStackBytes = 16 * 1024;

    /// <summary>Characters of <see cref="FailureGroup.Versions"/>.</summary>
    public const int MaxVersions = KeptVersions * (MaxVersion + 1);

    private const int KeptVersions = 5, MaxVersion = 100;

    private const char Separator = '\n';

    /// <summary>The versions of a group.</summary>
    public static IReadOnlyList<string> VersionsOf(FailureGroup group)
    {
        ArgumentNullException.ThrowIfNull(group);
        return group.Versions?.Split(Separator) ?? [];
    }

    /// <summary>Puts versions before those known, and drops the oldest.</summary>
    /// <param name="known">See <see cref="FailureGroup.Versions"/>.</param>
    /// <param name="newest">Versions of workers, the one with the newest failure last; null is unknown.</param>
    internal static string? AddVersions(string? known, IEnumerable<string?> newest)
    {
        var versions = newest.Where(v => !string.IsNullOrEmpty(v)).Select(v => TextRules.Cut(v!, MaxVersion)).Reverse()
            .Concat(known?.Split(Separator) ?? []).Distinct(StringComparer.Ordinal).Take(KeptVersions);
        return string.Join(Separator, versions) is { Length: > 0 } text ? text : null;
    }

    /// <summary>A type of an error within the limit, for reports whose outcome must not be lost for it.</summary>
    public static string? BoundType(string? text) =>
        string.IsNullOrEmpty(text) ? null
        : TextRules.Cut(new string([.. TextRules.Clean(text)!.Where(c => !char.IsControl(c))]), MaxErrorType) is { Length: > 0 } type ? type
        : null;

    /// <summary>The beginning of a stack within the limit.</summary>
    public static string? BoundStack(string? text)
    {
        if (string.IsNullOrEmpty(text))
            return null;
        var stack = TextRules.Clean(TextRules.Cut(text, MaxStackBytes))!;
        while (Encoding.UTF8.GetByteCount(stack) > MaxStackBytes)
            stack = TextRules.Cut(stack, stack.Length * 3 / 4);
        return stack;
    }
}
