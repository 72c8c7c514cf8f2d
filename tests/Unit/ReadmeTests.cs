using System.Text.RegularExpressions;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>What the README shows of .NET is code that tests run.</summary>
public sealed partial class ReadmeTests
{
    [Fact]
    public void Its_examples_are_those_of_the_samples()
    {
        var samples = File.ReadAllText(Repository.FileAt("samples", "Producer", "Program.cs")) + File.ReadAllText(Repository.FileAt("samples", "Worker", "Program.cs"));
        var shown = Example().Matches(File.ReadAllText(Repository.FileAt("README.md"))).Select(m => m.Groups["code"].Value.Trim()).ToList();

        shown.Count.ShouldBe(2);
        shown.ShouldAllBe(code => samples.Contains(code, StringComparison.Ordinal));
    }

    [GeneratedRegex("```csharp\n(?<code>.*?)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Example();
}
