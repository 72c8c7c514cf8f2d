using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Deployment;

/// <summary>The program knows every setting and argument in its start files.</summary>
public sealed class SettingsTests
{
    private const int Usage = 2;

    [Fact]
    public async Task Every_variable_is_a_setting_that_the_program_reads()
    {
        var variables = (await Deployed.AllAsync()).SelectMany(d => d.Environment)
            .Where(v => v.Key.Contains("__", StringComparison.Ordinal)).DistinctBy(v => v.Key).ToList();

        variables.Count.ShouldBeGreaterThan(8);
        (await ReadKeys.UnreadAsync(variables)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_misspelt_variable_is_detected()
    {
        var variables = new Dictionary<string, string>
        {
            ["TaskQueue__Telemetry__PublicMetrics"] = "true", ["TaskQueue__Telemetry__PublicMetric"] = "true",
            ["TaskQueue__Agents__Concurrency"] = "16",
            ["ConnectionStrings__TaskQueue"] = "", ["ConnectionStrings__Rabbit"] = "",
        };
        var refused = await Should.ThrowAsync<StartupException>(() => ReadKeys.UnreadAsync(variables));
        foreach (var key in new[] { "ConnectionStrings:Rabbit ", "TaskQueue:Agents ", "TaskQueue:Telemetry:PublicMetric " })
            refused.Message.ShouldContain($"{key}is not a setting");
    }

    [Fact]
    public async Task Every_start_command_is_valid_for_the_command_line()
    {
        foreach (var arguments in (await Deployed.AllAsync()).Select(d => d.Arguments).DistinctBy(a => string.Join(' ', a)))
            (await ExitCodeAsync(arguments)).ShouldNotBe(Usage, string.Join(' ', arguments));
        (await ExitCodeAsync(["--role", "api"])).ShouldBe(Usage);
        (await ExitCodeAsync(["migrates"])).ShouldBe(Usage);
    }

    [Fact]
    public async Task Connection_strings_come_from_the_secret_and_keys_from_its_file()
    {
        foreach (var start in (await Deployed.AllAsync()).Where(d => d.Where.StartsWith(Overlay.Production, StringComparison.Ordinal)))
        {
            start.Environment["ConnectionStrings__TaskQueue"].ShouldBe("secret:taskqueue/database");
            if (start.Arguments is ["migrate"])
                continue;
            start.Environment["ConnectionStrings__RabbitMq"].ShouldBe($"secret:taskqueue/rabbitmq-{start.Arguments[1]}");
            start.Environment["TaskQueue__Auth__KeysFile"].ShouldBe("/etc/taskqueue/keys.json");
        }
    }

    /// <summary>Without a broker a server with some of the roles exits at once, after it has parsed its arguments.</summary>
    private static async Task<int> ExitCodeAsync(IReadOnlyList<string> arguments)
    {
        var file = Path.Combine(Path.GetTempPath(), $"taskqueue-{Guid.NewGuid():N}.db");
        try
        {
            var keys = Repository.FileAt("deploy", "compose", "keys.json");
            return (await TaskQueueProcess.RunAsync([.. arguments], new Dictionary<string, string>
            {
                ["ConnectionStrings__TaskQueue"] = $"Data Source={file}", ["TaskQueue__Auth__KeysFile"] = keys,
            })).ExitCode;
        }
        finally
        {
            foreach (var path in new[] { file, $"{file}-wal", $"{file}-shm" })
                File.Delete(path);
        }
    }
}
