namespace TaskQueue.Engine.Tasks;

/// <summary>Tags of tasks: short texts by which tasks are found. Stored as one text, so a task without tags costs nothing.</summary>
public static class TaskTags
{
    /// <summary>Most tags of a task.</summary>
    public const int Max = 16;

    /// <summary>Most characters of a tag.</summary>
    public const int MaxLength = 64;

    /// <summary>The rule, for error messages.</summary>
    public const string Rule = "tags must be at most 16 different texts of 1 to 64 characters, without commas, control characters, and "
        + "spaces at either end";

    private const char Separator = ',';

    /// <summary>Whether these may be the tags of a task; null is none.</summary>
    public static bool AreValid(IReadOnlyList<string>? tags) =>
        tags is null || (tags.Count <= Max && tags.All(IsValid) && tags.Distinct(StringComparer.Ordinal).Count() == tags.Count);

    /// <summary>Whether a text may be a tag.</summary>
    public static bool IsValid(string? tag) =>
        tag is { Length: > 0 and <= MaxLength } && !tag.Contains(Separator, StringComparison.Ordinal) && !char.IsWhiteSpace(tag[0])
        && !char.IsWhiteSpace(tag[^1]) && TextRules.IsPlain(tag);

    /// <summary>The stored form; null if there are none.</summary>
    public static string? Join(IReadOnlyList<string>? tags) => tags is { Count: > 0 } ? string.Join(Separator, tags) : null;

    /// <summary>The tags of a stored text.</summary>
    public static IReadOnlyList<string> Split(string? stored) => stored is null ? [] : stored.Split(Separator);
}
