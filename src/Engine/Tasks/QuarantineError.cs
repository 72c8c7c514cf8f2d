using System.Globalization;

namespace TaskQueue.Engine.Tasks;

/// <summary>The error of a task that lost too many workers.</summary>
internal static class QuarantineError
{
    private const string Before = "quarantined: ", After = " workers were lost while they ran it";

    /// <summary>The error after a number of crashes.</summary>
    public static string Of(int crashes) => string.Create(CultureInfo.InvariantCulture, $"{Before}{crashes}{After}");

    /// <summary>The number of crashes that an error tells; null if it is another error.</summary>
    public static int? Crashes(string? error) =>
        error is not null && error.StartsWith(Before, StringComparison.Ordinal) && error.EndsWith(After, StringComparison.Ordinal)
            && error.Length > Before.Length + After.Length
            && int.TryParse(error.AsSpan(Before.Length, error.Length - Before.Length - After.Length), NumberStyles.None,
                CultureInfo.InvariantCulture, out var crashes)
            ? crashes : null;
}
