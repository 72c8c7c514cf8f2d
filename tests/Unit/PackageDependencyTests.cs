using System.Text.Json;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Contracts;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>The HTTP client brings no message bus, neither as a package nor as an assembly.</summary>
public sealed class PackageDependencyTests
{
    private static readonly string[] Bus = ["MassTransit", "RabbitMQ"];

    [Theory]
    [InlineData("Contracts")]
    [InlineData("Client")]
    public void No_transitive_package_is_a_bus(string project)
    {
        var packages = ClosureOf(project);

        packages.ShouldAllBe(p => !Bus.Any(b => p.StartsWith(b, StringComparison.OrdinalIgnoreCase)), $"src/{project} depends on a bus");
    }

    [Fact]
    public void The_bus_clients_transitive_packages_include_a_bus() =>
        Bus.ShouldAllBe(b => ClosureOf("Client.RabbitMq").Any(p => p.StartsWith(b, StringComparison.OrdinalIgnoreCase)));

    [Fact]
    public void No_client_assembly_references_a_bus() =>
        new[] { typeof(TaskQueueClient).Assembly, typeof(TaskId).Assembly }.SelectMany(a => a.GetReferencedAssemblies())
            .Select(a => a.Name!)
            .ShouldAllBe(name => !Bus.Any(b => name.StartsWith(b, StringComparison.OrdinalIgnoreCase)));

    /// <summary>The lock file names every direct and transitive package.</summary>
    private static List<string> ClosureOf(string project)
    {
        using var locked = JsonDocument.Parse(File.ReadAllBytes(Repository.FileAt("src", project, "packages.lock.json")));
        return [.. locked.RootElement.GetProperty("dependencies").EnumerateObject()
            .SelectMany(framework => framework.Value.EnumerateObject()).Select(p => p.Name)];
    }
}
