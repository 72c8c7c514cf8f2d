using System.Buffers.Binary;
using System.IO.Compression;
using System.Xml.Linq;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Deployment;

/// <summary>The packages as <c>dotnet pack</c> builds them.</summary>
[Collection(PackagesCollection.Name)]
public sealed class PackageTests(PackedPackages packages)
{
    [Theory]
    [InlineData("TaskQueue.Contracts")]
    [InlineData("TaskQueue.Client")]
    [InlineData("TaskQueue.Client.RabbitMq")]
    [InlineData("TaskQueue.Client.Grpc")]
    [InlineData("TaskQueue.Client.EntityFrameworkCore")]
    [InlineData("TaskQueue.Client.Hangfire")]
    [InlineData("TaskQueue.Client.Testing")]
    [InlineData("TaskQueue.Aspire.Hosting")]
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
    public void The_client_over_gRPC_depends_on_its_client_alone_and_on_exactly_the_client_whose_internals_it_uses()
    {
        var dependencies = DependenciesOf("TaskQueue.Client.Grpc");

        dependencies["TaskQueue.Client"].ShouldBe($"[{PackedPackages.Version}]");
        dependencies.Keys.Where(d => !d.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal)).ShouldBeSubsetOf(
            ["TaskQueue.Client", "TaskQueue.Contracts", "Google.Protobuf", "Grpc.Net.Client"]);
    }

    [Fact]
    public void The_outbox_depends_on_no_provider_and_on_exactly_the_client_whose_internals_it_uses()
    {
        var dependencies = DependenciesOf("TaskQueue.Client.EntityFrameworkCore");

        dependencies["TaskQueue.Client"].ShouldBe($"[{PackedPackages.Version}]");
        dependencies.Keys.ShouldContain("Microsoft.EntityFrameworkCore.Relational");
        dependencies.Keys.Where(d => !d.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal)).ShouldBeSubsetOf(
            ["TaskQueue.Client", "TaskQueue.Contracts", "Microsoft.EntityFrameworkCore", "Microsoft.EntityFrameworkCore.Relational"]);
    }

    [Fact]
    public void The_client_for_Hangfire_brings_its_analyzers_and_depends_on_exactly_its_client_and_on_no_storage_of_Hangfire()
    {
        var dependencies = DependenciesOf("TaskQueue.Client.Hangfire");

        dependencies["TaskQueue.Client"].ShouldBe($"[{PackedPackages.Version}]");
        dependencies.Keys.Where(d => !d.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal))
            .ShouldBe(["Hangfire.Core", "Newtonsoft.Json", "TaskQueue.Client"], ignoreOrder: true);
        using var package = packages.Open("TaskQueue.Client.Hangfire", "nupkg");
        package.GetEntry("analyzers/dotnet/cs/TaskQueue.Client.Hangfire.Analyzers.dll").ShouldNotBeNull();
        Read(package, "README.md").ShouldContain("LGPL");
    }

    [Fact]
    public void The_test_host_contains_the_server_and_shows_programs_only_itself()
    {
        using var package = packages.Open("TaskQueue.Client.Testing", "nupkg");
        var assemblies = package.Entries.Where(e => e.Name.EndsWith(".dll", StringComparison.Ordinal)).Select(e => e.FullName).ToList();

        assemblies.ShouldContain("lib/net10.0/taskqueue.dll");
        assemblies.ShouldContain("lib/net10.0/TaskQueue.Storage.Sqlite.dll");
        assemblies.Where(a => a.StartsWith("ref/", StringComparison.Ordinal)).ShouldBe(["ref/net10.0/TaskQueue.Client.Testing.dll"]);
        string[] packed = ["Contracts", "Client", "Client.RabbitMq"];
        package.GetEntry("NOTICE").ShouldNotBeNull(); // of the console's bundle, which is in an assembly
        package.GetEntry("licenses/MIT-console.txt").ShouldNotBeNull();
        packed.ShouldAllBe(p => !assemblies.Contains($"lib/net10.0/TaskQueue.{p}.dll"));
        DependenciesOf("TaskQueue.Client.Testing")["TaskQueue.Client.RabbitMq"].ShouldBe($"[{PackedPackages.Version}]");
    }

    [Fact]
    public void The_tool_is_the_program_with_its_licences()
    {
        using var package = packages.Open("TaskQueue.Tool", "nupkg");

        MetadataOf(package).Descendants().Single(e => e.Name.LocalName == "packageType").Attribute("name")!.Value.ShouldBe("DotnetTool");
        Read(package, "README.md").ShouldStartWith("# TaskQueue.Tool");
        Read(package, "tools/net10.0/any/DotnetToolSettings.xml").ShouldContain("Name=\"taskqueue\" EntryPoint=\"taskqueue.dll\"");
        package.GetEntry("tools/net10.0/any/NOTICE").ShouldNotBeNull();
        package.GetEntry("tools/net10.0/any/licenses/LGPL-3.0.txt").ShouldNotBeNull();
    }

    [Fact]
    public void The_tool_contains_no_settings_of_the_folder_and_nothing_for_systems_on_which_no_server_runs()
    {
        const string Root = "tools/net10.0/any/", Runtimes = "runtimes/";
        string[] assemblies = [".dll", ".pdb", ".xml"], systems = ["linux", "osx", "unix", "win"];
        string[] known =
        [
            "DotnetToolSettings.xml", "LICENSE", "NOTICE", "licenses/BSD-3-Clause-protobuf.txt", "licenses/GPL-3.0.txt",
            "licenses/LGPL-3.0.txt", "licenses/MIT-console.txt",
            "taskqueue.deps.json", "taskqueue.runtimeconfig.json", "taskqueue.staticwebassets.endpoints.json",
        ];
        using var package = packages.Open("TaskQueue.Tool", "nupkg");
        var files = package.Entries.Where(e => e.FullName.StartsWith(Root, StringComparison.Ordinal)).Select(e => e.FullName[Root.Length..])
            .ToLookup(f => f.StartsWith(Runtimes, StringComparison.Ordinal));

        files[false].Where(f => !assemblies.Contains(Path.GetExtension(f))).ShouldBeSubsetOf(known);
        files[true].Select(f => f[Runtimes.Length..].Split('/')[0].Split('-')[0]).Distinct().ShouldBeSubsetOf(systems);
        files[true].ShouldContain("runtimes/linux-x64/native/libe_sqlite3.so");
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

    [Fact]
    public void The_documentation_lists_every_package()
    {
        var rows = File.ReadLines(Repository.FileAt("docs", "packages.md"))
            .Where(l => l.StartsWith("| `TaskQueue.", StringComparison.Ordinal));

        rows.Select(r => r.Split('`')[1]).Order()
            .ShouldBe(PackedPackages.Projects.Append("Tool").Select(p => $"TaskQueue.{p}").Order());
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

/// <summary>Packs the projects once, without building them again, into a folder that is a feed.</summary>
public sealed class PackedPackages : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

#if DEBUG
    private const string Configuration = "Debug";
#else
    private const string Configuration = "Release";
#endif

    private readonly string _folder = Directory.CreateTempSubdirectory("taskqueue-packages-").FullName;
    private readonly Lazy<Task> _consumers;

    internal static IReadOnlyList<string> Projects { get; } =
        ["Contracts", "Client", "Client.EntityFrameworkCore", "Client.Grpc", "Client.RabbitMq", "Client.Hangfire", "Client.Testing",
            "Aspire.Hosting"];

    public PackedPackages() => _consumers = new(() => PackageConsumers.BuildAsync(this));

    /// <summary>That of the assemblies, with a suffix: no other package has it, wherever NuGet keeps those that it has seen.</summary>
    internal static string Version { get; } =
        $"{typeof(TaskQueueClient).Assembly.GetName().Version!.ToString(3)}-t{Guid.NewGuid():N}"[..16];

    /// <summary>Address of the server of the newcomer's program, which is written before the server starts.</summary>
    internal string Newcomer { get; } = $"http://127.0.0.1:{TaskQueueProcess.FreePort()}";

    internal string Feed => FolderOf("feed");

    public async Task InitializeAsync()
    {
        // One process for all of them, as `dotnet pack --no-build` would do it for each.
        var projects = string.Join(';', Projects.Append("Api").Select(p => Repository.FileAt("src", p, $"{p}.csproj")));
        var properties = $"Configuration={Configuration};NoBuild=true;_IsPacking=true;PackageVersion={Version};"
            + $"PackageOutputPath={Feed}/;PublishDir={FolderOf("publish")}/";
        var pack = Path.Combine(_folder, "pack.proj");
        await File.WriteAllTextAsync(pack, $"""
            <Project>
              <Target Name="Pack">
                <MSBuild Projects="{projects}" Targets="Pack" Properties="{properties}" />
              </Target>
            </Project>
            """);
        await RunAsync(Dotnet, ["msbuild", pack, "-t:Pack", "-nologo", "-v:m"]);
    }

    public Task DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    internal static string Dotnet { get; } = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";

    internal ZipArchive Open(string id, string extension) => ZipFile.OpenRead(Path.Combine(Feed, $"{id}.{Version}.{extension}"));

    /// <summary>Path of a file or folder beside the feed.</summary>
    internal string FolderOf(params string[] parts) => Path.Combine([_folder, .. parts]);

    /// <summary>Runs a command until it has succeeded.</summary>
    internal static async Task<string> RunAsync(string file, string[] args, IReadOnlyDictionary<string, string>? environment = null)
    {
        var all = new Dictionary<string, string>(environment ?? new Dictionary<string, string>())
        {
            ["MSBUILDDISABLENODEREUSE"] = "1", // leave no build process behind
        };
        using var command = new Command(file, args, all);
        (await command.WaitAsync(Patience)).ShouldBe(0, command.Output);
        return command.Output;
    }

    /// <summary>Starts a fresh project that consumes packages; all of them are built with the first.</summary>
    internal async Task<string> RunConsumerAsync(string name, params string[] args) =>
        await RunAsync(Dotnet, [await BuiltConsumerAsync(name), .. args],
            new Dictionary<string, string> { ["MASSTRANSIT_USAGE_TELEMETRY"] = "false" });

    /// <summary>The assembly of a fresh project that consumes packages; all of them are built with the first.</summary>
    internal async Task<string> BuiltConsumerAsync(string name)
    {
        await _consumers.Value;
        return FolderOf("consumers", name, "bin", "Release", "net10.0", $"{name}.dll");
    }
}

/// <summary>Tests of the packages share them.</summary>
[CollectionDefinition(Name)]
public sealed class PackagesCollection : ICollectionFixture<PackedPackages>
{
    public const string Name = "packages";
}
