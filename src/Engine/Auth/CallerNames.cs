namespace TaskQueue.Engine.Auth;

/// <summary>Names of callers and tenants. They end up in logs, headers and stored keys.</summary>
public static class CallerNames
{
    /// <summary>Longest name.</summary>
    public const int MaxLength = 128;

    /// <summary>The rule in words.</summary>
    public const string Rule = "1 to 128 characters without control characters, and no space at either end";

    /// <summary>Whether a text can be a name.</summary>
    public static bool IsValid(string? name) =>
        name is { Length: >= 1 and <= MaxLength } && !char.IsWhiteSpace(name[0]) && !char.IsWhiteSpace(name[^1])
            && TextRules.IsClean(name) && !name.Any(char.IsControl);
}
