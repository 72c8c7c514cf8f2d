using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Deployment;

/// <summary>The console is built again from its sources, as a developer does.</summary>
public sealed class ConsoleBuildTests : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(5);

    private readonly string _root = Directory.CreateTempSubdirectory("console-").FullName;

    [Fact]
    public async Task Its_tests_pass_and_its_build_gives_the_committed_bundle()
    {
        var source = Repository.FileAt("src", "Console");
        var copy = Path.Combine(_root, "src", "Console");
        foreach (var file in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories))
        {
            var path = Path.GetRelativePath(source, file);
            if (!path.StartsWith("node_modules", StringComparison.Ordinal) && !path.StartsWith("dist", StringComparison.Ordinal))
                Copy(file, Path.Combine(copy, path));
        }

        Copy(Repository.FileAt("docs", "openapi.json"), Path.Combine(_root, "docs", "openapi.json"));
        await NpmAsync(copy, "ci", "--no-audit", "--no-fund", "--loglevel=error");
        await NpmAsync(copy, "run", "build");
        await NpmAsync(copy, "test");

        var built = Files(Path.Combine(copy, "dist"));
        var committed = Files(Path.Combine(source, "dist"));
        built.Keys.ShouldBe(committed.Keys, ignoreOrder: true, "npm ci && npm run build in src/Console, and commit dist");
        foreach (var (path, bytes) in built)
            bytes.AsSpan().SequenceEqual(committed[path]).ShouldBeTrue($"dist/{path} is not what its sources give");
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private static async Task NpmAsync(string folder, params string[] args)
    {
        using var npm = new Command("npm", ["--prefix", folder, .. args],
            new Dictionary<string, string> { ["CI"] = "true", ["NODE_ENV"] = "", ["NO_COLOR"] = "1" });
        (await npm.WaitAsync(Deadline)).ShouldBe(0, npm.Output);
    }

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(to)!);
        File.Copy(from, to);
    }

    private static Dictionary<string, byte[]> Files(string folder) =>
        Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .ToDictionary(file => Path.GetRelativePath(folder, file), File.ReadAllBytes);
}
