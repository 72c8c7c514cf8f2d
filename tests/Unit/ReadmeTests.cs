using System.Text.RegularExpressions;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>
/// The README is short, its .NET code is code that tests run, and links in it and in the documentation resolve.
/// </summary>
public sealed partial class ReadmeTests
{
    private const int MaxWords = 700;

    [Fact]
    public void It_has_at_most_700_words() =>
        File.ReadAllText(Repository.FileAt("README.md")).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)
            .Length.ShouldBeLessThanOrEqualTo(MaxWords);

    public static TheoryData<string> Pages =>
        [.. Directory.EnumerateFiles(Repository.FileAt("docs"), "*.md", SearchOption.AllDirectories).Append(Repository.FileAt("README.md"))
            .Append(Repository.FileAt("CONTRIBUTING.md")).Append(Repository.FileAt("SECURITY.md"))
            .Select(f => Path.GetRelativePath(Repository.FileAt("."), f))];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Links_between_pages_lead_to_a_page_and_a_heading(string page)
    {
        var file = Repository.FileAt(page);
        foreach (var link in Link().Matches(File.ReadAllText(file)).Select(m => m.Groups["to"].Value)
            .Where(to => !to.Contains("://", StringComparison.Ordinal) && !to.StartsWith("mailto:", StringComparison.Ordinal)))
        {
            var (path, heading) = link.Split('#') is [var p, var h] ? (p, h) : (link, null);
            var target = path.Length == 0 ? file : Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, path));
            (File.Exists(target) || Directory.Exists(target)).ShouldBeTrue($"{page} links to {link}");
            if (heading is not null && target.EndsWith(".md", StringComparison.Ordinal))
                Headings(target).ShouldContain(heading, $"{page} links to {link}");
        }
    }

    [Fact]
    public void Its_examples_come_from_the_samples()
    {
        var samples = File.ReadAllText(Repository.FileAt("samples", "Producer", "Program.cs"))
            + File.ReadAllText(Repository.FileAt("samples", "Worker", "Program.cs"));
        var shown = Example().Matches(File.ReadAllText(Repository.FileAt("README.md"))).Select(m => m.Groups["code"].Value.Trim()).ToList();

        shown.Count.ShouldBe(2);
        shown.ShouldAllBe(code => samples.Contains(code, StringComparison.Ordinal));
    }

    /// <summary>As GitHub makes them.</summary>
    private static IEnumerable<string> Headings(string file) =>
        File.ReadLines(file).Where(line => line.StartsWith('#')).Select(line => string.Concat(line.TrimStart('#').Trim().ToLowerInvariant()
            .Where(c => char.IsLetterOrDigit(c) || c is ' ' or '-' or '_').Select(c => c == ' ' ? '-' : c)));

    [GeneratedRegex(@"\]\((?<to>[^)\s]+)\)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Link();

    [GeneratedRegex("```csharp\n(?<code>.*?)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Example();
}
