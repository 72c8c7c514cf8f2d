using System.Text.Json.Nodes;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Deployment;

/// <summary>What <c>-p:SqlServer=true</c> makes of the program, as far as MSBuild knows it without the packages.</summary>
public sealed class SqlServerBuildTests
{
    [Fact]
    public async Task With_the_property_the_program_has_the_driver_its_packages_and_cultures()
    {
        var api = await EvaluateAsync("src/Api/Api.csproj", "-p:SqlServer=true");
        References(api).ShouldContain("Engine.SqlServer.csproj");
        api.Text("Properties.InvariantGlobalization").ShouldBe("false", "the driver refuses to connect without cultures");

        var provider = await EvaluateAsync("src/Engine.SqlServer/Engine.SqlServer.csproj", "-p:SqlServer=true");
        Pruned(provider).ShouldBeEmpty("the driver cannot send a parameter without them");
    }

    [Fact]
    public async Task Without_it_the_program_has_nothing_of_it()
    {
        var api = await EvaluateAsync("src/Api/Api.csproj");
        References(api).ShouldNotContain("Engine.SqlServer.csproj");
        api.Text("Properties.InvariantGlobalization").ShouldBe("true");
        Pruned(await EvaluateAsync("src/Engine.SqlServer/Engine.SqlServer.csproj")).ShouldNotBeEmpty();
    }

    private static async Task<JsonNode> EvaluateAsync(string project, params string[] properties)
    {
        var dotnet = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        // MSBuild reads properties from the environment too.
        using var command = new Command(dotnet,
            ["msbuild", Repository.FileAt(project.Split('/')), "-nologo", "-getProperty:InvariantGlobalization", "-getItem:ProjectReference", "-getItem:PrunePackageReference", .. properties],
            new Dictionary<string, string> { ["SqlServer"] = "" });
        (await command.WaitAsync(TimeSpan.FromSeconds(60))).ShouldBe(0, command.Output);
        return JsonNode.Parse(command.Output)!;
    }

    private static IEnumerable<string> References(JsonNode project) => project.All("Items.ProjectReference").Select(i => Path.GetFileName(i.Text("Identity")!));

    private static IEnumerable<string> Pruned(JsonNode project) => project.All("Items.PrunePackageReference").Where(i => i.Text("Version") == "100.0.0").Select(i => i.Text("Identity")!);
}
