using System.Text.RegularExpressions;
using System.Xml.Linq;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.Deployment;

/// <summary>A fresh project that has a package from the feed, and the program of its README.</summary>
/// <param name="Project">The project of the package.</param>
/// <param name="Usings">Namespaces of the program.</param>
/// <param name="Prints">What it writes.</param>
internal sealed record PackageConsumer(string Project, string[] Usings, string Prints)
{
    /// <summary>Other packages that the program uses, with a package whose central version they have.</summary>
    public (string Id, string VersionOf)[] Needs { get; init; } = [];

    /// <summary>Statements before those of the README.</summary>
    public string Begin { get; init; } = Arguments;

    /// <summary>Statements after those of the README.</summary>
    public string End { get; init; } = "";

    /// <summary>Types behind those of the README.</summary>
    public string Types { get; init; } = "";

    /// <summary>Name of the task that it leaves in the queue; null if none.</summary>
    public string? Leaves { get; init; }

    /// <summary>What the programs are started with.</summary>
    public const string Arguments = "var (server, broker, queue) = (new Uri(args[0]), new Uri(args[1]), args[2]);\n";

    /// <summary>Name of the program.</summary>
    public string Name => Project.Replace(".", "", StringComparison.Ordinal) + "Consumer";
}

/// <summary>Writes and builds the fresh projects, outside of the repository, in one build.</summary>
internal static partial class PackageConsumers
{
    /// <summary>The newcomer's project: what <c>dotnet new console</c> makes, with the program of docs/packages.md.</summary>
    public const string Newcomer = "Hello";

    /// <summary>The project of docs/tutorial.md, whose server is that of the variable TASKQUEUE_SERVER.</summary>
    public const string Tutorial = "Shop";

    private static readonly (string, string) Hosting = ("Microsoft.Extensions.Hosting", "Microsoft.Extensions.Hosting.Abstractions");

    private static readonly string[] OfHost =
        ["Microsoft.Extensions.DependencyInjection", "Microsoft.Extensions.Hosting", "TaskQueue.Client"];

    /// <summary>A package that is added to <see cref="PackedPackages.Projects"/> belongs here too.</summary>
    private static readonly PackageConsumer[] Programs =
    [
        new("Contracts", ["MassTransit", "TaskQueue.Contracts"], "sent")
        {
            Needs = [("MassTransit.RabbitMQ", "MassTransit.RabbitMQ")],
            Begin = PackageConsumer.Arguments + "var address = args[1];",
            End = "Console.WriteLine(\"sent\");",
            Leaves = "send",
        },
        new("Client", ["System.Text.Json.Serialization", .. OfHost], "Hello, Ann") { Needs = [Hosting] },
        new("Client.Grpc", OfHost, """{"name":"Ann"}""") { Needs = [Hosting] },
        new("Client.RabbitMq", OfHost, """{"name":"Ann"}""") { Needs = [Hosting] },
        new("Client.Testing", ["System.Text.Json.Serialization", "TaskQueue.Client", "TaskQueue.Client.Testing"], "Hello, Ann")
        {
            // Hangfire in the program of the test still reads its own jobs.
            End = """
                var job = Hangfire.Common.Job.FromExpression(() => GC.Collect());
                _ = Hangfire.Storage.InvocationData.SerializeJob(job).DeserializeJob();
                Console.WriteLine(greeting?.Text);
                """,
            Types = BlocksOf("src", "Client", "README.md")[1],
        },
        new("Client.EntityFrameworkCore", ["Microsoft.EntityFrameworkCore", .. OfHost], "sent")
        {
            Needs = [Hosting, ("Microsoft.EntityFrameworkCore.Sqlite", "Microsoft.EntityFrameworkCore.Sqlite")],
            Begin = PackageConsumer.Arguments + """
                var database = $"Data Source={args[3]};Pooling=False";
                await using (var empty = new ShopDb(new DbContextOptionsBuilder<ShopDb>().UseSqlite(database).Options))
                    await empty.Database.EnsureCreatedAsync();
                """,
            End = """
                while ((await host.Services.GetRequiredService<OutboxAdmin<ShopDb>>().GetStatisticsAsync()).Pending > 0)
                    await Task.Delay(20);
                Console.WriteLine("sent");
                await host.StopAsync();
                """,
            Leaves = "ship",
        },
        new("Aspire.Hosting", ["Aspire.Hosting", "Aspire.Hosting.ApplicationModel"], "{queue.bindings.http.url} 1 http")
        {
            Begin = "",
            End = """
                var server = queue.Resource;
                var checks = server.Annotations.OfType<HealthCheckAnnotation>().Count();
                var endpoint = server.Annotations.OfType<EndpointAnnotation>().Single().Name;
                Console.WriteLine($"{server.ConnectionStringExpression.ValueExpression} {checks} {endpoint}");
                """,
        },
        new("Client.Hangfire", ["Hangfire", .. OfHost], "Hello, Ann")
        {
            Needs = [Hosting],
            Types = "public sealed class Greeter { public string Greet(string name) => $\"Hello, {name}\"; }",
        },
    ];

    /// <summary>One for each package.</summary>
    public static IEnumerable<PackageConsumer> All => PackedPackages.Projects.Select(p => Programs.Single(c => c.Project == p));

    /// <summary>The first program of docs/packages.md.</summary>
    public static string FirstProgram =>
        FirstExample().Match(File.ReadAllText(Repository.FileAt("docs", "packages.md"))).Groups["code"].Value;

    public static async Task BuildAsync(PackedPackages packages)
    {
        var folder = packages.FolderOf("consumers");
        foreach (var consumer in All)
            await WriteAsync(folder, consumer.Name, ProgramOf(consumer), [($"TaskQueue.{consumer.Project}", PackedPackages.Version),
                .. consumer.Needs.Select(n => (n.Id, CentralVersionOf(n.VersionOf)))]);
        (string, string)[] ofNewcomers = [("TaskQueue.Client", PackedPackages.Version), (Hosting.Item1, CentralVersionOf(Hosting.Item2))];
        await WriteAsync(folder, Newcomer, FirstProgram.Replace("http://localhost:8080", packages.Newcomer, StringComparison.Ordinal),
            ofNewcomers);
        await WriteAsync(folder, Tutorial, Fences.Of("tutorial.md", "cs").Single().Replace("\"http://localhost:8080\"",
            "Environment.GetEnvironmentVariable(\"TASKQUEUE_SERVER\")!", StringComparison.Ordinal), ofNewcomers);
        var projects = string.Concat(All.Select(c => c.Name).Append(Newcomer).Append(Tutorial)
            .Select(n => $"<Project Path=\"{n}/{n}.csproj\" />"));
        await File.WriteAllTextAsync(Path.Combine(folder, "all.slnx"), $"<Solution>{projects}</Solution>");
        await File.WriteAllTextAsync(Path.Combine(folder, "Directory.Build.props"), "<Project />");
        await File.WriteAllTextAsync(Path.Combine(folder, "NuGet.config"), ConfigurationOf(packages));
        await PackedPackages.RunAsync(PackedPackages.Dotnet,
            ["build", Path.Combine(folder, "all.slnx"), "-c", "Release", "-nologo", "-v", "q", "-p:UseSharedCompilation=false"]);
    }

    /// <summary>A configuration whose only source is the feed.</summary>
    public static string FeedOnly(PackedPackages packages) => $"""
        <configuration>
          <packageSources><clear /><add key="taskqueue" value="{packages.Feed}" /></packageSources>
        </configuration>
        """;

    /// <summary>
    /// The feed beside the sources of the machine. The packages that the machine has are used where they are; nothing is added to them.
    /// </summary>
    private static string ConfigurationOf(PackedPackages packages)
    {
        var known = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        return $"""
            <configuration>
              <config><add key="globalPackagesFolder" value="{packages.FolderOf("cache")}" /></config>
              <fallbackPackageFolders><add key="machine" value="{known}" /></fallbackPackageFolders>
              <packageSources><add key="taskqueue" value="{packages.Feed}" /></packageSources>
            </configuration>
            """;
    }

    private static async Task WriteAsync(string folder, string name, string program, IEnumerable<(string Id, string Version)> references)
    {
        Directory.CreateDirectory(Path.Combine(folder, name));
        await File.WriteAllTextAsync(Path.Combine(folder, name, "Program.cs"), program);
        var packages = string.Concat(references.Select(r => $"<PackageReference Include=\"{r.Id}\" Version=\"{r.Version}\" />"));
        await File.WriteAllTextAsync(Path.Combine(folder, name, $"{name}.csproj"), $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <ImplicitUsings>enable</ImplicitUsings>
                <Nullable>enable</Nullable>
              </PropertyGroup>
              <ItemGroup>
                {packages}
              </ItemGroup>
            </Project>
            """);
    }

    /// <summary>The blocks of the README: the first are statements, the others types.</summary>
    private static string ProgramOf(PackageConsumer consumer)
    {
        var blocks = BlocksOf("src", consumer.Project, "README.md");
        return string.Join('\n',
        [
            .. consumer.Usings.Select(u => $"using {u};"),
            consumer.Begin, blocks[0], consumer.End, .. blocks[1..], consumer.Types,
        ]);
    }

    private static string[] BlocksOf(params string[] file) =>
        [.. Example().Matches(File.ReadAllText(Repository.FileAt(file))).Select(m => m.Groups["code"].Value)];

    private static string CentralVersionOf(string package) =>
        XDocument.Load(Repository.FileAt("Directory.Packages.props")).Descendants("PackageVersion")
            .Single(v => v.Attribute("Include")!.Value == package).Attribute("Version")!.Value;

    [GeneratedRegex("```csharp\n(?<code>.*?)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Example();

    [GeneratedRegex("```cs\n(?<code>.*?)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex FirstExample();
}
