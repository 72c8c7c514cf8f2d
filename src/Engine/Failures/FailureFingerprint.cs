using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace TaskQueue.Engine.Failures;

/// <summary>Makes errors with the same cause equal: see docs/failures.md for the rules.</summary>
internal static partial class FailureFingerprint
{
    /// <summary>Characters of an error that are looked at.</summary>
    public const int MaxInput = 2000;

    /// <summary>Characters of a normalised message.</summary>
    public const int MaxMessage = 500;

    /// <summary>
    /// Replaces what differs between two failures with the same cause: numbers, ids, quoted texts, hex, paths, addresses.
    /// </summary>
    public static string Normalise(string error)
    {
        var text = TextRules.Cut(error, MaxInput);
        try
        {
            text = Variables().Replace(text, Word);
        }
        catch (RegexMatchTimeoutException)
        {
            // Grouped as it is.
        }

        return TextRules.Cut(text.Trim(), MaxMessage);
    }

    /// <summary>The id of a group: derived from all that its failures have in common, so that every process finds the same one.</summary>
    public static Guid IdOf(FailureKey key)
    {
        var text = string.Join('\0', (int)key.Kind, key.Owner is null ? "-" : $"+{key.Owner}", key.Queue,
            key.Name is null ? "-" : $"+{key.Name}", key.ErrorType is null ? "-" : $"+{key.ErrorType}", key.Message);
        return new Guid(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, 16), bigEndian: true);
    }

    private static string Word(Match match)
    {
        foreach (Group group in match.Groups)
        {
            if (group is { Success: true, Name: not "0" })
                return group.Name == "space" ? " " : $"<{group.Name}>";
        }

        return match.Value;
    }

    [GeneratedRegex(
        """
        (?<url>[a-zA-Z][a-zA-Z0-9+.-]{1,15}://[^\s'"<>]+)
        |(?<email>[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]{1,190})
        |(?<id>\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b)
        |(?<text>(?<!\w)(?:'[^'\n]{1,200}'|"[^"\n]{1,200}"|`[^`\n]{1,200}`)(?!\w))
        |(?<path>(?<![\w/\\<])(?:[A-Za-z]:)?(?:[\\/][\w.@%+~-]{1,255}){2,64}[\\/]?)
        |(?<hex>\b0[xX][0-9a-fA-F]+\b|\b(?=[a-fA-F]{0,40}[0-9])[0-9a-fA-F]{8,}\b)
        |(?<n>[0-9]+(?:[.,:][0-9]+)*)
        |(?<space>\s+)
        """, RegexOptions.IgnorePatternWhitespace | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant,
        matchTimeoutMilliseconds: 100)]
    private static partial Regex Variables();
}

/// <summary>What the failures of a group have in common.</summary>
/// <param name="Kind">Whether a worker reported them or was lost.</param>
/// <param name="Owner">Owner of the tasks: a tenant sees only its own groups.</param>
/// <param name="Queue">Base name of their queue; empty for failures of all queues that are counted together.</param>
/// <param name="Name">Name of the tasks.</param>
/// <param name="ErrorType">Type of the error, if the workers report it.</param>
/// <param name="Message">The normalised error.</param>
internal sealed record FailureKey(FailureKind Kind, string? Owner, string Queue, string? Name, string? ErrorType, string Message)
{
    /// <summary>Message of groups that count what does not fit into others.</summary>
    public const string OtherMessage = "other failures: there are too many groups to count them apart";

    /// <summary>The group of an owner's failures that are not counted apart.</summary>
    public static FailureKey Other(FailureKind kind, string? owner) => new(kind, owner, "", null, null, OtherMessage);
}
