using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.Deployment;

/// <summary>The instructions of the Dockerfile.</summary>
internal sealed partial class Dockerfile
{
    private readonly List<(string Name, string Text)> _instructions;

    private Dockerfile(string text)
    {
        var joined = Continued().Replace(Comment().Replace(text, ""), " ");
        _instructions = [.. joined.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(l => l.Split(' ', 2)).Select(p => (p[0], p[1].Trim()))];
    }

    /// <summary>The instructions of the last stage.</summary>
    public IEnumerable<(string Name, string Text)> Last => _instructions.Skip(_instructions.FindLastIndex(i => i.Name == "FROM"));

    public IEnumerable<string> Images => All("FROM").Select(f => f.Split(' ')[0]);

    /// <summary>Files copied from the repository: sources and destination.</summary>
    public IEnumerable<(string[] Sources, string Target)> Copies =>
        All("COPY").Where(c => !c.StartsWith("--from=", StringComparison.Ordinal)).Select(c => c.Split(' ')).Select(c => (c[..^1], c[^1]));

    public IEnumerable<string> Runs => All("RUN");

    public int User => int.Parse(Last.Last(i => i.Name == "USER").Text.Split(':')[0], CultureInfo.InvariantCulture);

    public IEnumerable<int> Ports =>
        Last.Where(i => i.Name == "EXPOSE").SelectMany(i => i.Text.Split(' ')).Select(p => int.Parse(p, CultureInfo.InvariantCulture));

    public string[] EntryPoint => JsonSerializer.Deserialize<string[]>(Last.Single(i => i.Name == "ENTRYPOINT").Text)!;

    public static Dockerfile Read() => new(File.ReadAllText(Repository.FileAt("Dockerfile")));

    private IEnumerable<string> All(string name) => _instructions.Where(i => i.Name == name).Select(i => i.Text);

    [GeneratedRegex("^#.*\n", RegexOptions.Multiline, 1000)]
    private static partial Regex Comment();

    [GeneratedRegex(@"\\\n\s*", RegexOptions.None, 1000)]
    private static partial Regex Continued();
}
