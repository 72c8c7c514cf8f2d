using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>The committed bundle of the console belongs to its sources, and loads nothing from elsewhere.</summary>
public sealed partial class ConsoleBundleTests
{
    private static readonly string[] Files = ["index.html", "package-lock.json", "package.json", "tsconfig.json", "vite.config.ts"];
    private static readonly string[] Folders = ["src", "tools"];

    private static readonly string Root = Repository.FileAt("src", "Console");

    [Fact]
    public void The_bundle_was_built_from_the_sources()
    {
        var paths = Files.Concat(Folders
                .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Root, folder), "*", SearchOption.AllDirectories))
                .Select(file => Path.GetRelativePath(Root, file).Replace('\\', '/'))
                .Where(path => !path.StartsWith("src/generated/", StringComparison.Ordinal)))
            .Order(StringComparer.Ordinal);
        var text = new StringBuilder();
        foreach (var path in paths)
            text.Append($"{Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Path.Combine(Root, path))))}  {path}\n");

        File.ReadAllText(Path.Combine(Root, "dist", "sources.sha256"))
            .ShouldBe(text.ToString(), "the bundle is stale: npm ci && npm run build in src/Console");
    }

    [Fact]
    public void Everything_that_the_page_loads_is_in_the_bundle()
    {
        var page = File.ReadAllText(Path.Combine(Root, "dist", "index.html"));
        var addresses = Address().Matches(page).Select(m => m.Groups["address"].Value).ToList();
        addresses.Count.ShouldBeGreaterThanOrEqualTo(3);
        addresses.ShouldAllBe(a => a.StartsWith("./assets/", StringComparison.Ordinal) && File.Exists(Path.Combine(Root, "dist", a)));
        page.ShouldNotContain("<style");
        page.ShouldNotContain(" style=");
        page.ShouldNotContain("<script>");
        Directory.EnumerateFiles(Path.Combine(Root, "dist", "assets")).Count().ShouldBe(addresses.Count, "no file is left over");
    }

    [Fact]
    public void The_lock_file_has_exact_versions_and_names_no_registry()
    {
        File.ReadAllText(Path.Combine(Root, "package-lock.json")).ShouldNotContain("\"resolved\"");
        VersionRange().IsMatch(File.ReadAllText(Path.Combine(Root, "package.json"))).ShouldBeFalse();
    }

    [GeneratedRegex("(?:src|href)=\"(?<address>[^\"]+)\"", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Address();

    [GeneratedRegex("\": \"[~^*<>]", RegexOptions.None, 1000)]
    private static partial Regex VersionRange();
}
