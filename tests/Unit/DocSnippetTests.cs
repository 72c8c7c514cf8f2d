using System.Text.RegularExpressions;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>The C# in docs/ is compiled with these tests.</summary>
public sealed partial class DocSnippetTests
{
    [Fact]
    public void F11_Every_snippet_of_the_documentation_is_compiled()
    {
        var compiled = Flat(string.Concat(Directory.EnumerateFiles(Repository.FileAt("tests", "EndToEnd"), "DocSnippets*.cs")
            .Select(File.ReadAllText)));
        var shown = Directory.EnumerateFiles(Repository.FileAt("docs"), "*.md")
            .SelectMany(file => Example().Matches(File.ReadAllText(file))
                .Select(m => (File: Path.GetFileName(file), m.Groups["code"].Value)))
            .ToList();

        shown.Count.ShouldBeGreaterThan(10);
        foreach (var (file, code) in shown)
            compiled.Contains(Flat(code), StringComparison.Ordinal).ShouldBeTrue($"{file}:\n{code}\nis not in DocSnippets*.cs");
    }

    private static string Flat(string code) =>
        string.Join('\n', code.Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0));

    [GeneratedRegex("```csharp\n(?<code>.*?)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Example();
}
