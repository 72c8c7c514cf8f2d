using System.Text.Json;
using System.Xml.Linq;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>
/// docs/compatibility.md names the clients that tests run, and those tests. What the clients in JavaScript do is compared where they run.
/// </summary>
public sealed class CompatibilityTests
{
    /// <summary>Packages of tests/Clients that are no clients.</summary>
    private static readonly string[] Tools =
    [
        "@kubernetes-models/keda", "@kubernetes-models/prometheus-operator", "@lezer/common", "@lezer/highlight", "@lezer/lr",
        "@marcbachmann/cel-js", "@prometheus-io/lezer-promql", "kubernetes-models", "s3rver", "typescript", "zod",
    ];

    private static readonly Dictionary<string, Type[]> Classes = typeof(CompatibilityTests).Assembly.GetTypes()
        .GroupBy(t => t.Name).ToDictionary(g => g.Key, g => g.ToArray());

    public static TheoryData<string> Clients => [.. CompatibilityTable.Rows.SelectMany(r => r.Packages.Zip(r.Versions, Named))];

    [Fact]
    public void The_table_has_every_client_of_the_tests() =>
        OfScripts().ShouldBeSubsetOf(CompatibilityTable.Rows.SelectMany(r => r.Packages.Zip(r.Versions, Named)));

    [Theory]
    [MemberData(nameof(Clients))]
    public void A_client_has_the_version_that_tests_run(string client) =>
        OfScripts().Concat(OfProjects()).ShouldContain(client);

    [Fact]
    public void Every_row_has_a_version_for_each_package_and_tests_that_exist()
    {
        CompatibilityTable.Rows.Count.ShouldBeGreaterThan(5);
        foreach (var row in CompatibilityTable.Rows)
        {
            row.Versions.Count.ShouldBe(row.Packages.Count);
            row.Tests.ShouldNotBeEmpty();
            foreach (var test in row.Tests.Select(t => t.Split('.')))
            {
                Classes.ShouldContainKey(test[0]);
                if (test.Length > 1)
                    MethodsOf(test[0]).ShouldContain(test[1]);
            }
        }
    }

    [Fact]
    public void What_works_is_in_the_names_of_the_tests()
    {
        foreach (var row in CompatibilityTable.Rows.Where(r => r.Packages.Count > 0
            && !r.Tests.Any(t => t.StartsWith("JavaScript", StringComparison.Ordinal))))
        {
            var names = string.Join(' ', row.Tests.SelectMany(MethodsOf));
            foreach (var word in row.Works)
                names.ShouldContain(word.TrimEnd('s').Replace(' ', '_'), Case.Insensitive);
        }
    }

    private static IEnumerable<string> MethodsOf(string name) =>
        Classes[name.Split('.')[0]].SelectMany(t => t.GetMethods()).Select(m => m.Name);

    private static string Named(string package, string version) => $"{package} {version}";

    /// <summary>Packages of npm; one that is installed under another name has its own in its version: <c>npm:openai@4.104.0</c>.</summary>
    private static List<string> OfScripts()
    {
        using var package = JsonDocument.Parse(File.ReadAllText(Repository.FileAt("tests", "Clients", "package.json")));
        return [.. package.RootElement.GetProperty("dependencies").EnumerateObject().Where(d => !Tools.Contains(d.Name))
            .Select(d => d.Value.GetString()!.Split(':', '@') is ["npm", var name, var version] ? Named(name, version)
                : Named(d.Name, d.Value.GetString()!))];
    }

    private static IEnumerable<string> OfProjects() =>
        XDocument.Load(Repository.FileAt("Directory.Packages.props")).Descendants("PackageVersion")
            .Select(p => Named(p.Attribute("Include")!.Value, p.Attribute("Version")!.Value));
}
