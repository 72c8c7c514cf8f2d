using System.Xml.Linq;
using Shouldly;
using TaskQueue.Api.Hosting;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Deployment;

/// <summary>Checks the image as far as possible without a container engine.</summary>
public sealed class DockerfileTests
{
    private static readonly Dockerfile Image = Dockerfile.Read();

    [Fact]
    public void Every_copied_file_exists_and_is_not_ignored()
    {
        string[] kept = [.. File.ReadLines(Repository.FileAt(".dockerignore")).Where(l => l.StartsWith('!')).Select(l => l[1..])];
        var sources = Image.Copies.SelectMany(c => c.Sources).ToList();

        sources.Count.ShouldBeGreaterThan(10);
        foreach (var source in sources)
        {
            Path.Exists(Repository.FileAt(source)).ShouldBeTrue(source);
            kept.ShouldContain(k => source == k || source.StartsWith($"{k}/", StringComparison.Ordinal), source);
        }
    }

    [Fact]
    public void The_restore_layer_has_every_project_and_its_build_files()
    {
        var beforeRestore = Image.Copies.TakeWhile(c => c.Target != "src/").ToList();
        var projects = beforeRestore.SelectMany(c => c.Sources).Where(s => s.EndsWith(".csproj", StringComparison.Ordinal)).ToList();

        projects.Order()
            .ShouldBe(ProjectsOf(Repository.FileAt("src", "Api", "Api.csproj")).Select(p => Path.GetRelativePath(Repository.FileAt(), p))
                .Distinct().Order());
        beforeRestore.Where(c => c.Sources[0].EndsWith(".csproj", StringComparison.Ordinal))
            .ShouldAllBe(c => c.Target == $"{Path.GetDirectoryName(c.Sources[0])}/");
        string[] read = ["global.json", "nuget.config", ".config/dotnet-tools.json", "Directory.Build.props", "Directory.Packages.props",
            "Package.props", "BannedSymbols.txt", ".editorconfig"];
        projects.Select(p => $"{Path.GetDirectoryName(p)}/packages.lock.json").Except(beforeRestore.SelectMany(c => c.Sources))
            .ShouldBeEmpty();
        read.Except(beforeRestore.SelectMany(c => c.Sources)).ShouldBeEmpty();
        Image.Runs.ShouldContain(r => r.Contains("dotnet restore src/Api/Api.csproj --locked-mode", StringComparison.Ordinal));
    }

    [Fact]
    public void It_runs_the_published_program_as_an_unprivileged_user()
    {
        var publish = Image.Runs.Single(r => r.StartsWith("dotnet publish src/Api/Api.csproj", StringComparison.Ordinal)).Split(' ');
        var output = publish[Array.IndexOf(publish, "--output") + 1];

        Image.Last.ShouldContain(i => i.Name == "COPY" && i.Text == $"--from=build {output}/ ./");
        var folder = Image.Last.Single(i => i.Name == "WORKDIR").Text;
        Image.EntryPoint.ShouldBe([$"{folder}/{typeof(Server).Assembly.GetName().Name}"]);
        File.Exists(Path.Combine(AppContext.BaseDirectory, "taskqueue")).ShouldBeTrue("the build makes an executable of that name");
        Image.User.ShouldBe(1654, "the user that the base image has");
    }

    [Fact]
    public void Its_base_image_has_no_shell_but_has_time_zones_and_the_right_framework()
    {
        var framework = XDocument.Load(Repository.FileAt("Directory.Build.props")).Descendants("TargetFramework").Single()
            .Value["net".Length..];
        Image.Images.ShouldBe([$"mcr.microsoft.com/dotnet/sdk:{framework}",
            $"mcr.microsoft.com/dotnet/aspnet:{framework}-noble-chiseled-extra"]);
    }

    private static IEnumerable<string> ProjectsOf(string project) =>
        XDocument.Load(project).Descendants("ProjectReference")
            .Select(r => Path.GetFullPath(r.Attribute("Include")!.Value, Path.GetDirectoryName(project)!)).SelectMany(ProjectsOf)
            .Prepend(project);
}
