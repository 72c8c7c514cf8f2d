using System.Text.Json;
using System.Xml.Linq;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Contracts;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>The HTTP client brings neither a message bus nor gRPC, neither as a package nor as an assembly.</summary>
public sealed class PackageDependencyTests
{
    private const string Aws = "AWSSDK.";

    private static readonly string[] Bus = ["MassTransit", "RabbitMQ"], Rpc = ["Grpc", "Google.Protobuf"];

    [Theory]
    [InlineData("Contracts")]
    [InlineData("Client")]
    [InlineData("Client.EntityFrameworkCore")]
    [InlineData("Client.Grpc")]
    public void No_transitive_package_is_a_bus(string project)
    {
        var packages = ClosureOf(project);

        packages.ShouldAllBe(p => !Bus.Any(b => p.StartsWith(b, StringComparison.OrdinalIgnoreCase)), $"src/{project} depends on a bus");
    }

    [Fact]
    public void No_package_for_other_programs_brings_the_SDK_of_S3()
    {
        string[] projects =
            ["Contracts", "Client", "Client.Grpc", "Client.RabbitMq", "Client.EntityFrameworkCore", "Client.Hangfire", "Client.Kubernetes"];
        projects.SelectMany(ClosureOf).ShouldAllBe(p => !p.StartsWith(Aws, StringComparison.OrdinalIgnoreCase));
        PackagesOf(Repository.FileAt("src", "Client.Testing", "Client.Testing.csproj"))
            .ShouldAllBe(p => !p.StartsWith(Aws, StringComparison.Ordinal));
    }

    [Fact]
    public void The_bus_clients_transitive_packages_include_a_bus() =>
        Bus.ShouldAllBe(b => ClosureOf("Client.RabbitMq").Any(p => p.StartsWith(b, StringComparison.OrdinalIgnoreCase)));

    [Theory]
    [InlineData("Contracts")]
    [InlineData("Client")]
    [InlineData("Client.EntityFrameworkCore")]
    [InlineData("Client.RabbitMq")]
    public void No_transitive_package_is_gRPC(string project) =>
        ClosureOf(project).ShouldAllBe(p => !Rpc.Any(r => p.StartsWith(r, StringComparison.OrdinalIgnoreCase)));

    [Fact]
    public void No_client_assembly_references_a_bus_or_gRPC() =>
        new[] { typeof(TaskQueueClient).Assembly, typeof(TaskId).Assembly }.SelectMany(a => a.GetReferencedAssemblies())
            .Select(a => a.Name!)
            .ShouldAllBe(name => !Bus.Concat(Rpc).Any(b => name.StartsWith(b, StringComparison.OrdinalIgnoreCase)));

    [Fact]
    public void The_test_host_names_every_package_of_the_server_that_it_contains()
    {
        var named = PackagesOf(Repository.FileAt("src", "Client.Testing", "Client.Testing.csproj")).ToList();

        // What begins with Microsoft.Extensions. is a part of ASP.NET Core. Tests store no files in S3: the SDK is not theirs.
        ProjectsOf(Repository.FileAt("src", "Api", "Api.csproj")).Distinct().SelectMany(PackagesOf)
            .Where(p => !p.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal) && !p.StartsWith(Aws, StringComparison.Ordinal))
            .Distinct().Order()
            .ShouldBe(named.Order());
    }

    private static IEnumerable<string> PackagesOf(string project) =>
        XDocument.Load(project).Descendants("PackageReference").Where(r => r.Attribute("PrivateAssets") is null)
            .Select(r => r.Attribute("Include")!.Value);

    private static IEnumerable<string> ProjectsOf(string project) =>
        XDocument.Load(project).Descendants("ProjectReference")
            .Select(r => Path.GetFullPath(r.Attribute("Include")!.Value, Path.GetDirectoryName(project)!)).SelectMany(ProjectsOf)
            .Prepend(project);

    /// <summary>The lock file names every direct and transitive package.</summary>
    private static List<string> ClosureOf(string project)
    {
        using var locked = JsonDocument.Parse(File.ReadAllBytes(Repository.FileAt("src", project, "packages.lock.json")));
        return [.. locked.RootElement.GetProperty("dependencies").EnumerateObject()
            .SelectMany(framework => framework.Value.EnumerateObject()).Select(p => p.Name)];
    }
}
