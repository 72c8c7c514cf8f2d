using System.Text;

namespace TaskQueue.Engine.Audit;

/// <summary>An administrative action, or a request that was refused.</summary>
/// <param name="Action">The action, such as <c>queue.purge</c>.</param>
/// <param name="Result"><c>done</c>; or <c>refused</c> or <c>failed</c>, followed by a colon and the reason.</param>
public sealed record AuditEntry(string Action, string Result)
{
    /// <summary>Result of an action that succeeded.</summary>
    public const string Done = "done";

    /// <summary>Maximum length of the JSON in <see cref="Before"/> and <see cref="After"/>, in characters.</summary>
    private const int MaxJson = 32 * 1024;

    /// <summary>Name of the caller; null if unknown.</summary>
    public string? Actor { get; init; }

    /// <summary>Tenant of the caller; null if unknown.</summary>
    public string? Tenant { get; init; }

    /// <summary>Target of the action, such as <c>queue/mail</c>.</summary>
    public string? Target { get; init; }

    /// <summary>JSON of the state before the action, or null.</summary>
    public string? Before { get; init; }

    /// <summary>JSON of the state after the action, or null.</summary>
    public string? After { get; init; }

    /// <summary>Address of the caller.</summary>
    public string? Address { get; init; }

    /// <summary>Builds the table row. Text is truncated to its column and stripped of control characters.</summary>
    internal AuditRecord ToRecord(DateTime at) => new()
    {
        At = at,
        Actor = Plain(Actor, 128),
        Tenant = Plain(Tenant, 128),
        Action = Plain(Action, 64)!,
        Target = Plain(Target, 512),
        Before = Json(Before),
        After = Json(After),
        Address = Plain(Address, 64),
        Result = Plain(Result, 512)!,
    };

    private static string? Json(string? json) => json is null || json.Length <= MaxJson ? TextRules.Clean(json) : """{"too_long":true}""";

    /// <summary>Strips control characters: a line break in a path or name would forge a log line.</summary>
    private static string? Plain(string? text, int maxLength)
    {
        if (text is null || (text.Length <= maxLength && TextRules.IsPlain(text)))
            return text;
        var plain = new StringBuilder(Math.Min(text.Length, maxLength));
        foreach (var rune in text.EnumerateRunes())
        {
            var shown = Rune.IsControl(rune) ? Rune.ReplacementChar : rune;
            if (plain.Length + shown.Utf16SequenceLength > maxLength)
                break;
            plain.Append(shown);
        }

        return plain.ToString();
    }
}
