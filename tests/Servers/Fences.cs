using System.Text.RegularExpressions;

namespace TaskQueue.Tests.Servers;

/// <summary>The code in pages.</summary>
internal static partial class Fences
{
    /// <summary>The code of a language in a page of docs/, such as <c>tutorial.md</c>, in its order.</summary>
    public static IReadOnlyList<string> Of(string page, string language) =>
    [
        .. Fence().Matches(File.ReadAllText(Repository.FileAt("docs", page)))
            .Where(m => m.Groups["language"].Value == language).Select(m => m.Groups["code"].Value),
    ];

    [GeneratedRegex("^```(?<language>[a-z]+)\n(?<code>.*?)^```",
        RegexOptions.Singleline | RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Fence();
}
