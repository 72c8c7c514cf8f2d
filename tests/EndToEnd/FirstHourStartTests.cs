using System.Net;
using System.Net.Sockets;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A newcomer's first start: what stops it, in one line, and what it says.</summary>
public sealed class FirstHourStartTests : IAsyncLifetime
{
    private const int Terminate = 15;
    private static readonly string[] LogLevels = ["info", "warn", "fail", "crit"];

    private readonly string _folder = Directory.CreateTempSubdirectory("first-hour-").FullName;

    private string File => Path.Combine(_folder, "first.db");

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync()
    {
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    [Theory]
    [InlineData("TaskQueue:KeepFinishd", "TaskQueue:KeepFinished")]
    [InlineData("ConnectionString:TaskQueue", "ConnectionStrings:TaskQueue")]
    [InlineData("ConnectionStrings:RabbitMQQ", "ConnectionStrings:RabbitMq")]
    [InlineData("TaskQueue:Auth:ApiKey:0:Name", "TaskQueue:Auth:ApiKeys")]
    [InlineData("TaskQueue:Auth:ApiKeys:0:Nmae", "TaskQueue:Auth:ApiKeys:0:Name")]
    [InlineData("TaskQueue:SimulatedWorkMs", "TaskQueue:Actions:SimulatedWorkMs")]
    [InlineData("TaskQueue:KeepFinished:Days", "docs/configuration.md")]
    [InlineData("TaskQueue:Zebra", "docs/configuration.md")]
    public async Task F04_An_unknown_configuration_key_stops_the_start_and_names_the_nearest(string key, string nearest)
    {
        var line = await RefusedAsync(new() { [key] = "7" });
        line.ShouldContain("is not a setting");
        key.ShouldStartWith(line.Split(' ')[1]);
        line.ShouldContain(nearest);
        System.IO.File.Exists(File).ShouldBeFalse("nothing is touched");
    }

    [Fact]
    public async Task F12_A_port_in_use_is_one_line_before_anything_is_touched()
    {
        using var taken = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        taken.Listen();
        var url = $"http://127.0.0.1:{((IPEndPoint)taken.LocalEndPoint!).Port}";

        var (exitCode, output) = await RunAsync(["--urls", url], new());
        exitCode.ShouldBe(1, output);
        output.Split('\n').ShouldHaveSingleItem().ShouldStartWith($"taskqueue: {url} cannot be used");
        output.ShouldContain("--urls");
        System.IO.File.Exists(File).ShouldBeFalse();
    }

    [Fact]
    public async Task F13_A_second_server_on_a_SQLite_file_refuses_until_the_first_ends()
    {
        var database = $"Data Source={File}";
        await using (var first = await TaskQueueProcess.StartAsync("api,scheduler,consumers", database, rabbitMq: null))
        {
            var line = await RefusedAsync(new());
            line.ShouldContain(File);
            line.ShouldContain("in use by another server");
            first.Kill();
        }

        await using var next = await TaskQueueProcess.StartAsync("api,scheduler,consumers", database, rabbitMq: null);
        (await next.TerminateAsync()).ShouldBe(0, next.Output);
    }

    [Fact]
    public async Task F15_F16_The_first_start_says_where_the_data_is_and_what_to_try_and_warns_of_nothing()
    {
        var url = $"http://127.0.0.1:{TaskQueueProcess.FreePort()}";
        var database = Path.Combine(_folder, "taskqueue", "taskqueue.db");
        using var server = TaskQueueProcess.StartCommand(["--urls", url],
            new Dictionary<string, string> { ["XDG_DATA_HOME"] = _folder, ["HOME"] = _folder, ["LOCALAPPDATA"] = _folder });
        await Eventually.UntilAsync(() => Task.FromResult(server.HasExited || server.Output.Contains("try: ", StringComparison.Ordinal)),
            TimeSpan.FromSeconds(60), "it is ready");

        var last = server.Lines.LastOrDefault(l => l.Contains("Ready at ", StringComparison.Ordinal)) ?? "";
        last.ShouldContain($"Ready at {url} on SQLite file {database}", Case.Sensitive, server.Output);
        last.ShouldContain($"curl {url}/tasks -d ");
        server.Lines.ShouldAllBe(line => line.Contains("Z info: ", StringComparison.Ordinal));
        System.IO.File.Exists(database).ShouldBeTrue();
        using var http = new HttpClient { BaseAddress = new Uri(url) };
        (await http.PostAsync("/tasks", last.Split('\'')[1])).Status.ShouldBe(202);
        (await TaskQueueProcess.SignalAsync(server, Terminate)).ShouldBe(0);
    }

    [Fact]
    public async Task F15_The_data_folder_can_be_chosen()
    {
        var folder = Path.Combine(_folder, "own", "data");
        var (exitCode, output) = await RunAsync(["migrate"], new() { ["TaskQueue:DataFolder"] = folder }, isConfigured: false);
        exitCode.ShouldBe(0, output);
        System.IO.File.Exists(Path.Combine(folder, "taskqueue.db")).ShouldBeTrue();
    }

    [Fact]
    public async Task F21_A_file_that_is_no_database_gets_the_right_hint()
    {
        await System.IO.File.WriteAllTextAsync(File, string.Concat(Enumerable.Repeat("no database ", 1000)));
        var line = await RefusedAsync(new());
        line.ShouldContain(File);
        line.ShouldContain("is no SQLite database");
        line.ShouldNotContain("writable");
    }

    [Theory]
    [InlineData("Logging:LogLevel:Default")]
    [InlineData("Logging:Console:LogLevel:TaskQueue")]
    public async Task F21_An_unknown_log_level_is_one_line_that_lists_the_levels(string key)
    {
        var line = await RefusedAsync(new() { [key] = "Foo" });
        line.ShouldContain($"{key} is 'Foo'");
        line.ShouldContain("Information");
    }

    [Theory]
    [InlineData("TaskQueue:Actions:Concurrency", "0", "TaskQueue:Actions:Concurrency must be between 1 and 1000")]
    [InlineData("TaskQueue:MaxPayloadBytes", "abc", "TaskQueue:MaxPayloadBytes is 'abc'; it must be a whole number")]
    [InlineData("TaskQueue:KeepFinished", "a week", "7.00:00:00")]
    [InlineData("TaskQueue:Files:Store", "tape", "TaskQueue:Files:Store is 'tape'; it must be ")]
    [InlineData("TaskQueue:Auth:ApiKeys:0:Tenant", "shop", "TaskQueue:Auth:ApiKeys:0 needs a Name")]
    public async Task F27_An_invalid_value_names_the_key_and_what_to_write(string key, string value, string text)
    {
        var line = await RefusedAsync(new() { [key] = value });
        line.ShouldContain(text);
        line.ShouldNotContain("DataAnnotation");
        line.ShouldNotContain("System.");
    }

    private async Task<string> RefusedAsync(Dictionary<string, string> settings)
    {
        var (exitCode, output) = await RunAsync(["--urls", "http://127.0.0.1:0"], settings);
        exitCode.ShouldBe(1, output);
        var line = output.Split('\n').Single(l => !LogLevels.Any(level => l.Contains($"Z {level}: ", StringComparison.Ordinal)));
        line.ShouldStartWith("taskqueue: ");
        return line;
    }

    private Task<(int ExitCode, string Output)> RunAsync(string[] args, Dictionary<string, string> settings, bool isConfigured = true)
    {
        if (isConfigured)
            settings["ConnectionStrings:TaskQueue"] = $"Data Source={File}";
        return TaskQueueProcess.RunAsync(args,
            settings.ToDictionary(s => s.Key.Replace(":", "__", StringComparison.Ordinal), s => s.Value));
    }
}
