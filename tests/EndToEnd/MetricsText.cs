using System.Globalization;
using System.Text.RegularExpressions;
using Shouldly;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A sample of a scrape.</summary>
internal sealed record Sample(string Name, IReadOnlyDictionary<string, string> Labels, double Value);

/// <summary>A scrape of /metrics, with every line parsed.</summary>
internal sealed partial class MetricsText
{
    private MetricsText(IReadOnlyList<Sample> samples) => Samples = samples;

    public IReadOnlyList<Sample> Samples { get; }

    /// <summary>Scrapes a process.</summary>
    public static async Task<MetricsText> ReadAsync(HttpClient http)
    {
        var reply = await http.ReadAsync("/metrics");
        reply.Status.ShouldBe(200, reply.Text);
        reply.ContentType.ShouldBe("text/plain");
        return Parse(reply.Text);
    }

    public static MetricsText Parse(string text)
    {
        var samples = new List<Sample>();
        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(l => !Comment().IsMatch(l)))
        {
            var match = Line().Match(line);
            match.Success.ShouldBeTrue(line);
            var labels = match.Groups["label"].Captures.Zip(match.Groups["text"].Captures)
                .ToDictionary(p => p.First.Value, p => p.Second.Value);
            samples.Add(new(match.Groups["name"].Value, labels, double.Parse(match.Groups["value"].Value, CultureInfo.InvariantCulture)));
        }

        return new MetricsText(samples);
    }

    /// <summary>The sum of the samples with all these labels; 0 if there is none.</summary>
    public double Sum(string name, params (string Name, string Value)[] labels) => Of(name, labels).Sum(s => s.Value);

    public IEnumerable<Sample> Of(string name, params (string Name, string Value)[] labels) =>
        Samples.Where(s => s.Name == name && Array.TrueForAll(labels, l => s.Labels.GetValueOrDefault(l.Name) == l.Value));

    [GeneratedRegex("^# (TYPE|HELP|UNIT|EOF)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Comment();

    [GeneratedRegex(
        """^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(\{((?<label>[a-zA-Z_][a-zA-Z0-9_]*)="(?<text>([^"\\]|\\.)*)",?)*\})?"""
            + """ (?<value>-?[0-9.eE+-]+|\+Inf|NaN)( [0-9.]+)?$""",
        RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Line();
}
