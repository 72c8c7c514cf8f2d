using System.Text;

namespace TaskQueue.Engine.Failures;

/// <summary>Limits of what a report says about an error.</summary>
public static class FailureRules
{
    /// <summary>Characters of the type of an error.</summary>
    public const int MaxErrorType = 200;

    /// <summary>UTF-8 bytes of a stack.</summary>
    public const int MaxStackBytes = 16 * 1024;

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
