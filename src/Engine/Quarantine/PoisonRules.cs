namespace TaskQueue.Engine.Quarantine;

/// <summary>The reason of a failure as the quarantine stores it.</summary>
internal static class PoisonRules
{
    private const int MaxReason = 2000;

    /// <summary>The reason of a failure as it can be stored.</summary>
    public static string Reason(Exception fault)
    {
        var inner = fault.GetBaseException();
        return Cut(TextRules.Clean($"{inner.GetType().Name}: {inner.Message}")!, MaxReason);
    }

    private static string Cut(string text, int length) =>
        text.Length <= length ? text : text[..(char.IsHighSurrogate(text[length - 1]) ? length - 1 : length)];

    /// <summary>A reason of any length as it can be stored.</summary>
    public static string Fit(string reason) => Cut(TextRules.Clean(reason)!, MaxReason);
}
