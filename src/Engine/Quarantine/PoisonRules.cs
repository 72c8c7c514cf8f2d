namespace TaskQueue.Engine.Quarantine;

/// <summary>Formats reasons for the quarantine.</summary>
internal static class PoisonRules
{
    private const int MaxReason = 2000;

    /// <summary>The reason of a failure, fit for storage.</summary>
    public static string Reason(Exception fault)
    {
        var inner = fault.GetBaseException();
        return Cut(TextRules.Clean($"{inner.GetType().Name}: {inner.Message}")!, MaxReason);
    }

    private static string Cut(string text, int length) =>
        text.Length <= length ? text : text[..(char.IsHighSurrogate(text[length - 1]) ? length - 1 : length)];

    /// <summary>Sanitizes and truncates a reason.</summary>
    public static string Fit(string reason) => Cut(TextRules.Clean(reason)!, MaxReason);
}
