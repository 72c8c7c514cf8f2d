using System.CommandLine;
using System.Text.RegularExpressions;
using TaskQueue.Engine;

namespace TaskQueue.Api.CommandLine;

/// <summary>Suggests the command or option that a mistyped one most likely means.</summary>
internal static partial class Suggestion
{
    /// <summary>The first error that names an option or else a word, else the first one, with a suggestion or where to look.</summary>
    public static string Explain(ParseResult result)
    {
        // The value of an unknown option is unknown too.
        var named = result.Errors.Select(e => e.Message).Where(m => Quoted().IsMatch(m)).ToList();
        var message = named.Find(m => m.Contains(" '-", StringComparison.Ordinal)) ?? named.FirstOrDefault();
        if (message is null)
            return result.Errors[0].Message;
        var (word, command) = (Quoted().Match(message).Groups["word"].Value, result.CommandResult.Command);
        var known = word.StartsWith('-') ? command.Options.SelectMany(o => o.Aliases.Prepend(o.Name))
            : command.Subcommands.SelectMany(c => c.Aliases.Prepend(c.Name));
        return message + (Nearest.Of(word, known) is { } near ? $" Did you mean {near}?"
            : !word.StartsWith('-') && command is RootCommand ? " 'taskqueue --help' lists the commands."
            : "");
    }

    [GeneratedRegex("'(?<word>[^']+)'", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Quoted();
}
