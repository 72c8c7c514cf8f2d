using System.Reflection;
using ArchUnitNET.Fluent.Slices;
using ArchUnitNET.Loader;
using ArchUnitNET.xUnit;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Assemblies and folders reference each other in one direction only.</summary>
public sealed class ArchitectureTests
{
    /// <summary>
    /// The references that each assembly may have; a new edge is a decision, and belongs here and in docs/code-tour.md.
    /// </summary>
    private static readonly Dictionary<string, string[]> Allowed = new(StringComparer.Ordinal)
    {
        ["Contracts"] = [],
        ["Engine"] = ["Contracts"],
        ["Storage"] = ["Contracts", "Engine"],
        ["Storage.Postgres"] = ["Contracts", "Engine", "Storage"],
        ["Storage.S3"] = ["Contracts", "Engine"], // contents of files only
        ["Storage.Sqlite"] = ["Contracts", "Engine", "Storage"],
        ["Storage.SqlServer"] = ["Contracts", "Engine", "Storage"],
        ["Bus"] = ["Contracts", "Engine"],
        ["Client"] = ["Contracts"],
        ["Client.Grpc"] = ["Client", "Contracts"],
        ["Client.Hangfire"] = ["Client", "Contracts"],
        ["Client.Hangfire.Analyzers"] = [], // loaded by compilers
        ["Client.RabbitMq"] = ["Client", "Contracts"],
        ["Client.Testing"] = ["Api", "Client", "Contracts"],
        ["Http"] = ["Contracts", "Engine"],
        ["Adapters.Agent"] = ["Contracts", "Engine", "Http"],
        ["Adapters.Bella"] = ["Bus", "Contracts", "Engine", "Http"],
        ["Adapters.Moab"] = ["Contracts", "Engine", "Http"],
        ["Adapters.OpenAI"] = ["Contracts", "Engine", "Http"],
        ["Consumers"] = ["Bus", "Client", "Client.RabbitMq", "Contracts", "Engine"],
        ["Scheduler"] = ["Contracts", "Engine", "Storage"], // Hangfire keeps its jobs in the same database
        ["Client.EntityFrameworkCore"] = ["Client", "Contracts"],
        ["Client.Kubernetes"] = ["Client"],
        ["WebConsole"] = ["Contracts", "Engine", "Http"],
        ["Api"] =
        [
            "Adapters.Agent", "Adapters.Bella", "Adapters.Moab", "Adapters.OpenAI", "Bus", "Client", "Client.Kubernetes",
            "Client.RabbitMq", "Consumers", "Contracts", "Engine", "Http",
            "Scheduler", "Storage", "Storage.Postgres", "Storage.S3", "Storage.SqlServer", "Storage.Sqlite", "WebConsole",
        ],
    };

    /// <summary>Packages that the engine must not need: it has no SQL, broker or HTTP.</summary>
    private static readonly string[] NotInEngine = ["Microsoft.EntityFrameworkCore", "Npgsql", "Microsoft.Data.", "RabbitMQ.Client",
        "MassTransit.RabbitMq", "Microsoft.AspNetCore", "System.Net.Http"];

    private static readonly string[] ForeignNames = ["Bella", "Moab", "OpenAI"];

    public static TheoryData<string> Names => new(Allowed.Keys);

    [Theory]
    [MemberData(nameof(Names))]
    public void Assembly_ReferencesOnlyWhatTheTableAllows(string name)
    {
        var used = Load(name).GetReferencedAssemblies().Select(a => ShortName(a.Name!)).OfType<string>().Order(StringComparer.Ordinal);
        used.Except(Allowed[name]).ShouldBeEmpty();
    }

    [Fact]
    public void EveryAssemblyOfSrc_IsInTheTable() =>
        Directory.EnumerateFiles(Repository.FileAt("src"), "*.csproj", SearchOption.AllDirectories).Select(Path.GetFileNameWithoutExtension)
            .ShouldBe(Allowed.Keys.Append("Aspire.Hosting"), ignoreOrder: true); // it references none of them

    [Theory]
    [MemberData(nameof(Names))]
    public void FoldersOfAnAssembly_FormNoCircle(string name)
    {
        var architecture = new ArchLoader().LoadAssemblies(Load(name)).Build();
        SliceRuleDefinition.Slices().Matching($"{Namespace(name)}.(*)").Should().BeFreeOfCycles().Check(architecture);
    }

    [Fact]
    public void Engine_NeedsNoDatabaseNoBrokerAndNoHttp() =>
        Load("Engine").GetReferencedAssemblies().Select(a => a.Name!)
            .Where(a => NotInEngine.Any(n => a.StartsWith(n, StringComparison.OrdinalIgnoreCase))).ShouldBeEmpty();

    [Fact]
    public void Engine_HasNoNameOfAForeignApi() =>
        Load("Engine").GetTypes()
            .SelectMany(t => t.GetMembers(
                    BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly)
                .Select(m => m.Name).Prepend(t.Name).Where(n => ForeignNames.Any(f => n.Contains(f, StringComparison.Ordinal)))
                .Select(n => $"{t.Name}.{n}"))
            .ShouldBeEmpty();

    private static Assembly Load(string name) => Assembly.Load(name == "Api" ? "taskqueue" : $"TaskQueue.{name}");

    private static string Namespace(string name) => $"TaskQueue.{name}";

    private static string? ShortName(string assembly) =>
        assembly == "taskqueue" ? "Api" : assembly.StartsWith("TaskQueue.", StringComparison.Ordinal)
            ? assembly["TaskQueue.".Length..] : null;
}
