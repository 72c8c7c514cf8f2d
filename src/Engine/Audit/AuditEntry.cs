using System.Text;

namespace TaskQueue.Engine.Audit;

/// <summary>What happened: an administrative act, or something that was refused.</summary>
/// <param name="Action">What was done, such as <c>queue.purge</c>.</param>
/// <param name="Result"><c>done</c>, or <c>refused</c> or <c>failed</c> with the reason behind a colon.</param>
public sealed record AuditEntry(string Action, string Result)
{
    /// <summary>An act that succeeded.</summary>
    public const string Done = "done";

    /// <summary>Longest JSON of a state before or after.</summary>
    private const int MaxJson = 32 * 1024;

    /// <summary>Name of the caller; null is unknown.</summary>
    public string? Actor { get; init; }

    /// <summary>Tenant of the caller; null is unknown.</summary>
    public string? Tenant { get; init; }

    /// <summary>What it was done to, such as <c>queue/mail</c>.</summary>
    public string? Target { get; init; }

    /// <summary>JSON of the state before, or null.</summary>
    public string? Before { get; init; }

    /// <summary>JSON of the state after, or null.</summary>
    public string? After { get; init; }

    /// <summary>Address of the caller.</summary>
    public string? Address { get; init; }

    /// <summary>A row of the table. Text is cut to its column and cleaned of control characters.</summary>
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

    /// <summary>Paths and names may hold anything: a line break would forge a line of the log.</summary>
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
