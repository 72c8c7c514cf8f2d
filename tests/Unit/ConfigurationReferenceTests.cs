using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Microsoft.Extensions.Configuration;
using Shouldly;
using TaskQueue.Api.Hosting;
using TaskQueue.Contracts;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>docs/configuration.md is generated from the options classes: their names, comments and defaults.</summary>
public sealed partial class ConfigurationReferenceTests
{
    private static readonly Dictionary<string, XElement> Comments = Directory.GetFiles(AppContext.BaseDirectory, "*.xml")
        .Where(f => Path.GetFileName(f).StartsWith("taskqueue", StringComparison.OrdinalIgnoreCase))
        .SelectMany(f => XDocument.Load(f).Descendants("member")).GroupBy(m => m.Attribute("name")!.Value)
        .ToDictionary(g => g.Key, g => g.First());

    private static readonly Type[] Types =
    [
        .. Directory.GetFiles(AppContext.BaseDirectory, "*.dll")
            .Where(f => Path.GetFileName(f).StartsWith("taskqueue", StringComparison.OrdinalIgnoreCase))
            .Where(f => !Path.GetFileName(f).StartsWith("TaskQueue.Tests", StringComparison.Ordinal))
            .SelectMany(f => Assembly.Load(AssemblyName.GetAssemblyName(f)).GetTypes()),
    ];

    [Fact]
    public void The_configuration_reference_matches_the_options() =>
        Repository.CompareGenerated("configuration.md", Reference());

    [Fact]
    public void Every_class_of_options_is_in_the_reference()
    {
        var shown = new HashSet<Type>();
        foreach (var (_, type) in Sections())
            Rows("", type, shown).ToList().Count.ShouldBePositive();
        Types.Where(t => t.Name.EndsWith("Options", StringComparison.Ordinal) && t is { IsClass: true, IsAbstract: false })
            .Where(t => !t.Namespace!.StartsWith("TaskQueue.Client", StringComparison.Ordinal) && t.GetConstructor([]) is not null)
            .Except(shown).ShouldBeEmpty("begin the summary with the section: Section <c>TaskQueue:Name</c>");
    }

    [Fact]
    public void F04_Every_key_of_the_reference_is_known_at_startup()
    {
        var (section, keys) = ("", new Dictionary<string, string?>());
        foreach (var line in Reference().Split('\n'))
        {
            if (line.StartsWith("## ", StringComparison.Ordinal))
                section = line[3..];
            else if (line.StartsWith("| `", StringComparison.Ordinal))
                keys[string.Join(':', $"{section}:{line.Split('`')[1]}".Split(':')
                    .Select(part => part is "N" ? "0" : part is "NAME" ? "x" : part))] = "1";
        }

        keys["TaskQueue:Quotas:Tenants:x:Queues"] = "1"; // the reference describes limits once
        keys.Count.ShouldBeGreaterThan(50);
        ConfigurationKeys.Demand(new ConfigurationBuilder().AddInMemoryCollection(keys).Build());
    }

    private static string Reference()
    {
        var text = new StringBuilder();
        foreach (var section in Sections().GroupBy(s => s.Section).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            text.Append(CultureInfo.InvariantCulture, $"\n## {section.Key}\n\n| key | meaning | default; limits |\n|---|---|---|\n");
            var own = section.Key.Split(':')[^1] + ":"; // a section that is a list has no key for it
            foreach (var row in section.SelectMany(s => Rows("", s.Type, []))
                .Select(r => r.Replace($"| `{own}", "| `", StringComparison.Ordinal)).Distinct()
                .OrderBy(r => r.Split('`')[1], StringComparer.Ordinal))
                text.Append(row);
        }

        return text.ToString()[1..];
    }

    private static IEnumerable<(string Section, Type Type)> Sections() => Bound().Append(("TaskQueue:RabbitMq:Tls", typeof(BrokerTls)));

    private static IEnumerable<(string Section, Type Type)> Bound() =>
        from type in Types
        where Comments.ContainsKey($"T:{type.FullName}")
        let section = SectionText().Match(Flat(Comments[$"T:{type.FullName}"].Element("summary")))
        where section.Success
        select (section.Groups["name"].Value, type);

    private static IEnumerable<string> Rows(string prefix, Type type, HashSet<Type> shown)
    {
        shown.Add(type);
        var defaults = Activator.CreateInstance(type, nonPublic: true);
        foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly))
        {
            var isList = property.PropertyType.IsAssignableTo(typeof(IEnumerable)) && property.PropertyType != typeof(string)
                && property.PropertyType.IsGenericType;
            if (!isList && property.SetMethod is not { IsPublic: true })
                continue; // follows from others
            if (!Comments.TryGetValue($"P:{type.FullName}.{property.Name}", out var comment))
                continue; // inherited
            var meaning = Flat(comment.Element("summary"));
            if (meaning.Contains("not for configuration", StringComparison.Ordinal)
                || meaning.EndsWith("; rejected.", StringComparison.Ordinal)
                || (isList && property.PropertyType.GetGenericTypeDefinition() == typeof(IEnumerable<>)))
                continue;
            var (item, index) = Item(property.PropertyType);
            var name = $"{prefix}{property.Name}{index}";
            var value = comment.Element("value") is { } said ? Flat(said) : Default(property.GetValue(defaults));
            yield return $"| `{name}` | {meaning} | {value} |\n";
            if (item.Assembly.GetName().Name!.StartsWith("taskqueue", StringComparison.OrdinalIgnoreCase) && item is { IsClass: true }
                && !shown.Contains(item))
            {
                foreach (var row in Rows($"{name}:", item, [.. shown]))
                    yield return row;
                shown.Add(item);
            }
        }
    }

    private static (Type Item, string Index) Item(Type type)
    {
        if (Nullable.GetUnderlyingType(type) is { } inner)
            return (inner, "");
        var arguments = type.IsGenericType && type.IsAssignableTo(typeof(IEnumerable)) ? type.GetGenericArguments() : [];
        return arguments switch
        {
            [var item] => (item, ":N"),
            [_, var item] => (item, ":NAME"),
            _ => (type, ""),
        };
    }

    private static string Default(object? value) => value switch
    {
        null or "" => "none",
        bool flag => flag ? "true" : "false",
        string or Enum or TimeSpan => $"`{value}`",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => "none",
    };

    private static string Flat(XElement? comment)
    {
        if (comment is null)
            return "";
        var text = string.Concat(comment.Nodes().Select(n => n switch
        {
            XText plain => plain.Value,
            XElement { Name.LocalName: "c" } code => $"`{code.Value}`",
            XElement { Name.LocalName: "see" } see =>
                $"`{(see.Attribute("cref") ?? see.Attribute("langword"))!.Value.Split('.', ':')[^1]}`",
            XElement other => other.Value,
            _ => "",
        }));
        return Spaces().Replace(text, " ").Trim().Replace("|", "\\|", StringComparison.Ordinal);
    }

    [GeneratedRegex(@"^Section `(?<name>[A-Za-z0-9:]+)`", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex SectionText();

    [GeneratedRegex(@"\s+", RegexOptions.NonBacktracking)]
    private static partial Regex Spaces();
}
