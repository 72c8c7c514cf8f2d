using System.Text.Json;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Contracts;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>A program that talks HTTP gets no message bus with the client, neither as a package nor as an assembly.</summary>
public sealed class PackageDependencyTests
{
    private static readonly string[] Bus = ["MassTransit", "RabbitMQ"];

    [Theory]
    [InlineData("Contracts")]
    [InlineData("Client")]
    public void No_package_of_the_closure_is_a_bus(string project)
    {
        var packages = ClosureOf(project);

        packages.ShouldAllBe(p => !Bus.Any(b => p.StartsWith(b, StringComparison.OrdinalIgnoreCase)), $"src/{project} depends on a bus");
    }

    [Fact]
    public void The_closure_of_the_bus_client_is_read_the_same_way_and_has_one() =>
        Bus.ShouldAllBe(b => ClosureOf("Client.RabbitMq").Any(p => p.StartsWith(b, StringComparison.OrdinalIgnoreCase)));

    [Fact]
    public void No_assembly_of_the_client_refers_to_a_bus() =>
        new[] { typeof(TaskQueueClient).Assembly, typeof(TaskId).Assembly }.SelectMany(a => a.GetReferencedAssemblies())
            .Select(a => a.Name!)
            .ShouldAllBe(name => !Bus.Any(b => name.StartsWith(b, StringComparison.OrdinalIgnoreCase)));

    /// <summary>The lock file names every package of the closure, direct or not.</summary>
    private static List<string> ClosureOf(string project)
    {
        using var locked = JsonDocument.Parse(File.ReadAllBytes(Repository.FileAt("src", project, "packages.lock.json")));
        return [.. locked.RootElement.GetProperty("dependencies").EnumerateObject()
            .SelectMany(framework => framework.Value.EnumerateObject()).Select(p => p.Name)];
    }
}
