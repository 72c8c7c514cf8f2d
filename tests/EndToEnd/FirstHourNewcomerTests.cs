using Shouldly;
using TaskQueue.Tests.Deployment;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A newcomer who has the SDK and the packages, and nothing else.</summary>
[Collection(PackagesCollection.Name)]
public sealed class FirstHourNewcomerTests(PackedPackages packages)
{
    private const int Terminate = 15;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task F24_A_newcomer_installs_the_tool_and_runs_a_first_program_of_at_most_20_lines()
    {
        PackageConsumers.FirstProgram.Split('\n').Count(line => line.Trim().Length > 0).ShouldBeInRange(10, 20);
        var (tools, data) = (packages.FolderOf("tools"), packages.FolderOf("data"));
        var configuration = packages.FolderOf("tools.config");
        await File.WriteAllTextAsync(configuration, PackageConsumers.FeedOnly(packages));
        await PackedPackages.RunAsync(PackedPackages.Dotnet, ["tool", "install", "TaskQueue.Tool", "--tool-path", tools,
            "--version", PackedPackages.Version, "--configfile", configuration]);
        var environment = new Dictionary<string, string>
        {
            ["XDG_DATA_HOME"] = data, ["HOME"] = data, ["LOCALAPPDATA"] = data, ["TASKQUEUE_SERVER"] = packages.Newcomer,
            // The folder of the running .NET: below it are shared/Microsoft.NETCore.App/VERSION.
            ["DOTNET_ROOT"] = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "..", "..", "..")),
        };
        var program = Path.Combine(tools, "taskqueue");
        Directory.CreateDirectory(data);

        using var server = new Command(program, ["--urls", packages.Newcomer], environment);
        await Eventually.UntilAsync(() => Task.FromResult(server.HasExited || server.Output.Contains("try: ", StringComparison.Ordinal)),
            Patience, () => $"the server is ready\n{server.Output}");
        server.Output.ShouldContain(Path.Combine(data, "taskqueue", "taskqueue.db"));

        (await packages.RunConsumerAsync(PackageConsumers.Newcomer)).ShouldContain("Hello, world");

        (await PackedPackages.RunAsync(program, ["queues"], environment)).ShouldContain("hello");
        (await TaskQueueProcess.SignalAsync(server, Terminate)).ShouldBe(0, server.Output);
    }
}
