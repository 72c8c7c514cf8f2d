using System.Buffers.Binary;
using System.IO.Compression;
using System.Xml.Linq;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Deployment;

/// <summary>The packages as <c>dotnet pack</c> builds them.</summary>
public sealed class PackageTests(PackedPackages packages) : IClassFixture<PackedPackages>
{
    [Theory]
    [InlineData("TaskQueue.Contracts")]
    [InlineData("TaskQueue.Client")]
    [InlineData("TaskQueue.Client.RabbitMq")]
    public void A_package_has_a_readme_an_icon_documentation_and_symbols(string id)
    {
        using var package = packages.Open(id, "nupkg");
        var metadata = MetadataOf(package);

        Text(metadata, "version").ShouldBe(PackedPackages.Version);
        Text(metadata, "license").ShouldBe("Apache-2.0");
        Text(metadata, "description").ShouldNotContain("Package Description");
        Text(metadata, "tags").Split(' ').ShouldContain("task-queue");
        Text(metadata, "readme").ShouldBe("README.md");
        Read(package, "README.md").ShouldStartWith($"# {id}");
        Text(metadata, "icon").ShouldBe("icon.png");
        ReadSize(package, "icon.png").ShouldBe((128, 128));
        package.GetEntry($"lib/net10.0/{id}.dll").ShouldNotBeNull();
        package.GetEntry($"lib/net10.0/{id}.xml").ShouldNotBeNull();
        using var symbols = packages.Open(id, "snupkg");
        symbols.GetEntry($"lib/net10.0/{id}.pdb").ShouldNotBeNull();
    }

    [Fact]
    public void The_contracts_depend_on_nothing() => DependenciesOf("TaskQueue.Contracts").ShouldBeEmpty();

    [Fact]
    public void The_client_depends_on_no_bus()
    {
        var dependencies = DependenciesOf("TaskQueue.Client");

        dependencies["TaskQueue.Contracts"].ShouldBe(PackedPackages.Version);
        dependencies.Keys.Where(d => d != "TaskQueue.Contracts")
            .ShouldAllBe(d => d.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal));
    }

    [Fact]
    public void The_client_over_RabbitMQ_depends_on_MassTransit_and_on_exactly_the_client_whose_internals_it_uses()
    {
        var dependencies = DependenciesOf("TaskQueue.Client.RabbitMq");

        dependencies["TaskQueue.Client"].ShouldBe($"[{PackedPackages.Version}]");
        dependencies.Keys.ShouldContain("MassTransit.RabbitMQ");
    }

    [Fact]
    public void No_other_project_is_a_package()
    {
        var packable = Directory.EnumerateFiles(Repository.FileAt("."), "*.csproj", SearchOption.AllDirectories)
            .Where(p => !p.Contains("/artifacts/", StringComparison.Ordinal)
                && File.ReadAllText(p).Contains("Package.props", StringComparison.Ordinal));

        packable.Select(p => Path.GetFileNameWithoutExtension(p)).Order().ShouldBe(PackedPackages.Projects.Order());
        XDocument.Load(Repository.FileAt("Directory.Build.props")).Descendants("IsPackable").Single().Value.ShouldBe("false");
    }

    private Dictionary<string, string> DependenciesOf(string id)
    {
        using var package = packages.Open(id, "nupkg");
        return MetadataOf(package).Descendants().Where(e => e.Name.LocalName == "dependency")
            .ToDictionary(e => e.Attribute("id")!.Value, e => e.Attribute("version")!.Value, StringComparer.Ordinal);
    }

    private static XElement MetadataOf(ZipArchive package)
    {
        using var nuspec = package.Entries.Single(e => e.FullName.EndsWith(".nuspec", StringComparison.Ordinal)).Open();
        return XDocument.Load(nuspec).Root!.Elements().Single(e => e.Name.LocalName == "metadata");
    }

    private static string Text(XElement metadata, string name) => metadata.Elements().Single(e => e.Name.LocalName == name).Value;

    private static string Read(ZipArchive package, string name)
    {
        using var reader = new StreamReader(package.GetEntry(name)!.Open());
        return reader.ReadToEnd();
    }

    /// <summary>Width and height of a PNG.</summary>
    private static (int Width, int Height) ReadSize(ZipArchive package, string name)
    {
        var header = new byte[24];
        using var stream = package.GetEntry(name)!.Open();
        stream.ReadExactly(header);
        header.AsSpan(1, 3).SequenceEqual("PNG"u8).ShouldBeTrue();
        return (BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(16)), BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(20)));
    }
}

/// <summary>Packs the projects once, without building them again.</summary>
public sealed class PackedPackages : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

#if DEBUG
    private const string Configuration = "Debug";
#else
    private const string Configuration = "Release";
#endif

    private readonly string _folder = Directory.CreateTempSubdirectory("taskqueue-packages-").FullName;

    internal static IReadOnlyList<string> Projects { get; } = ["Contracts", "Client", "Client.RabbitMq"];

    /// <summary>Version of the assembly, without the commit.</summary>
    internal static string Version { get; } = typeof(TaskQueueClient).Assembly.GetName().Version!.ToString(3);

    public async Task InitializeAsync()
    {
        foreach (var project in Projects)
        {
            using var pack = new Command(
                Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet",
                ["pack", Repository.FileAt("src", project), "--configuration", Configuration, "--no-build", "--output", _folder],
                new Dictionary<string, string> { ["MSBUILDDISABLENODEREUSE"] = "1" }); // leave no build process behind
            (await pack.WaitAsync(Patience)).ShouldBe(0, pack.Output);
        }
    }

    public Task DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    internal ZipArchive Open(string id, string extension) => ZipFile.OpenRead(Path.Combine(_folder, $"{id}.{Version}.{extension}"));
}
