using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Configuration;
using Shouldly;
using TaskQueue.Api.Hosting;
using TaskQueue.Engine;
using TaskQueue.Storage;
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

    [Theory]
    [InlineData("TaskQueue:Auth:ApiKeys", "set TaskQueue:Auth:ApiKeys:0:")]
    [InlineData("TaskQueue:Auth:ApiKeys:0", "set TaskQueue:Auth:ApiKeys:0:")]
    [InlineData("TaskQueue:Auth", "set TaskQueue:Auth:")]
    [InlineData("TaskQueue:TrustedProxies", "set TaskQueue:TrustedProxies:0")]
    [InlineData("Logging:LogLevel", "set Logging:LogLevel:Default")]
    [InlineData("Logging:Console:LogLevel", "set Logging:Console:LogLevel:Default")]
    [InlineData("TaskQueue_KeepFinished", "did you mean TaskQueue:KeepFinished (as a variable: TaskQueue__KeepFinished)?")]
    [InlineData("TaskQueue.KeepFinished", "did you mean TaskQueue:KeepFinished")]
    [InlineData("ConnectionStrings_TaskQueue", "as a variable: ConnectionStrings__TaskQueue")]
    [InlineData("TaskQueue_Auth:ApiKeys:0:Key", "did you mean TaskQueue:Auth:ApiKeys:0:Key")]
    [InlineData("ConnectionStrings:TaskQeue", "did you mean ConnectionStrings:TaskQueue?")]
    [InlineData("TaskQeue:KeepFinished", "did you mean TaskQueue:KeepFinished?")]
    [InlineData("Loging:LogLevel:Default", "did you mean Logging:LogLevel?")]
    [InlineData("Kestral:Endpoints:Web:Url", "did you mean Kestrel:Endpoints?")]
    public void F04_A_value_where_it_has_no_effect_is_refused_and_not_shown(string key, string text)
    {
        var refusal = Should.Throw<StartupException>(() => ConfigurationKeys.Demand(Configuration(key, "hunter2"))).Message;
        refusal.ShouldStartWith(key[..key.IndexOfAny([':', '_', '.'])]);
        refusal.ShouldContain(text);
        refusal.ShouldNotContain("hunter2");
    }

    [Theory]
    [InlineData("TASKQUEUE_PORT", "tcp://10.0.0.1:8080")]
    [InlineData("TASKQUEUE_PORT_8080_TCP_ADDR", "10.0.0.1")]
    [InlineData("TASKQUEUE_SERVICE_HOST", "10.0.0.1")]
    [InlineData("TASKQUEUE_CONSOLE_SERVICE_PORT", "8080")]
    [InlineData("TASKQUEUE_KEY", "k")]
    [InlineData("TASKQUEUE_SERVER", "http://localhost:8080")]
    [InlineData("_", "/usr/bin/dotnet")]
    [InlineData("ConnectionStrings:TaskQueue_ProviderName", "System.Data.SqlClient")]
    [InlineData("ConnectionStrings:cache", "redis:6379")]
    [InlineData("TaskQueueApp:Name", "x")]
    [InlineData("TaskQueueTest:Name", "x")]
    [InlineData("Login:User", "x")]
    [InlineData("TaskQueue:Auth:ApiKeys", "")]
    [InlineData("Logging:LogLevel:Default", "Debug")]
    [InlineData("Kestrel:Endpoints:Web:Url", "http://localhost:8080")]
    public void F04_Keys_of_others_are_accepted(string key, string value) => ConfigurationKeys.Demand(Configuration(key, value));

    [Theory]
    [InlineData("TaskQueue:KeepFinished", "24:00:00")]
    [InlineData("TaskQueue:KeepFinished", "36:00")]
    [InlineData("TaskQueue:KeepFinished", "3600")]
    [InlineData("TaskQueue:KeepFinished", " 7 ")]
    [InlineData("TaskQueue:Auth:Jwt:MaxLifetime", "3600")]
    [InlineData("TaskQueue:Maintenance:TaskRetentionInterval", "60")]
    public void Hours_and_seconds_that_would_be_days_are_refused(string key, string value)
    {
        var refusal = Should.Throw<StartupException>(() => ConfigurationKeys.DemandTimeSpans(Configuration(key, value))).Message;
        refusal.ShouldStartWith($"{key} is '{value}', which would be days");
        refusal.ShouldContain("01:30:00");
    }

    [Theory]
    [InlineData("TaskQueue:KeepFinished", "23:59:59")]
    [InlineData("TaskQueue:KeepFinished", "7.00:00:00")]
    [InlineData("TaskQueue:KeepFinished", "00:00:02.5")]
    [InlineData("TaskQueue:KeepFinished", "01:30")]
    [InlineData("TaskQueue:KeepFinished", "0")]
    [InlineData("TaskQueue:KeepFinished", "a week")] // refused when it is bound
    [InlineData("TaskQueue:MaxPayloadBytes", "65536")]
    [InlineData("TaskQueue:Drain:GraceSeconds", "30")]
    public void Other_values_are_no_days(string key, string value) => ConfigurationKeys.DemandTimeSpans(Configuration(key, value));

    private static IConfigurationRoot Configuration(string key, string value) =>
        new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { [key] = value }).Build();

    [Theory]
    [InlineData("*")]
    [InlineData("[::]")]
    public void F12_A_port_in_use_on_IPv6_is_found(string host)
    {
        if (!Socket.OSSupportsIPv6)
            return;
        using var taken = new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp) { DualMode = false };
        taken.Bind(new IPEndPoint(IPAddress.IPv6Any, 0));
        taken.Listen();
        var url = $"http://{host}:{((IPEndPoint)taken.LocalEndPoint!).Port}";
        Should.Throw<StartupException>(() => PortCheck.Demand(Addresses(url))).Message
            .ShouldStartWith($"{url} cannot be used: the address is already in use by another program");
    }

    [Fact]
    public void F12_Addresses_that_collide_are_named()
    {
        var port = TaskQueueProcess.FreePort();
        Should.Throw<StartupException>(() => PortCheck.Demand(Addresses($"http://127.0.0.1:{port}", $"http://localhost:{port}"))).Message
            .ShouldBe($"http://localhost:{port} cannot be used: http://127.0.0.1:{port} is the same address; remove one of them (--urls)");
        PortCheck.Demand(Addresses($"http://127.0.0.1:{port}", $"http://[::1]:{port}", $"http://127.0.0.2:{port}"));
    }

    private static ListenAddresses Addresses(params string[] urls) =>
        new([.. urls.Select(url => new ListenAddress("urls", url, null))], []);

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
    public async Task F13_Every_name_of_a_SQLite_file_has_the_same_lock()
    {
        await System.IO.File.WriteAllBytesAsync(File, []);
        var link = Path.Combine(_folder, "link.db");
        System.IO.File.CreateSymbolicLink(link, File);
        using var first = new SqliteLock();
        first.Take(Sqlite(File));

        foreach (var name in new[] { link, $"file:{File}", $"file:{link}?cache=private", $"file://{File}" })
        {
            using var second = new SqliteLock();
            Should.Throw<StartupException>(() => second.Take(Sqlite(name)), name).Message.ShouldContain("in use by another server");
        }

        foreach (var name in new[] { ":memory:", "file:x?mode=memory&cache=shared", "file::memory:", Path.Combine(_folder, "other.db") })
        {
            using var second = new SqliteLock();
            second.Take(Sqlite(name));
        }
    }

    [Fact]
    public void F13_Only_a_lock_of_another_server_is_called_one()
    {
        System.IO.File.CreateSymbolicLink(File + ".lock", File + ".lock"); // a name that leads nowhere
        using var taken = new SqliteLock();
        var line = Should.Throw<StartupException>(() => taken.Take(Sqlite(File))).Message;
        line.ShouldStartWith($"cannot use SQLite file {File}: ");
        line.ShouldNotContain("another server");
        StartupChecks.Hint(new IOException("EROFS", 30)).ShouldContain("read-only");
        StartupChecks.Hint(new IOException("ENOSPC", 28)).ShouldBe("the disk is full");
    }

    private static DatabaseAddress Sqlite(string source) => DatabaseAddress.Parse($"Data Source={source}", "sqlite");

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

    [Fact]
    public async Task F21_A_truncated_file_is_called_damaged()
    {
        await TemplateDatabases.CreateSqliteAsync(File);
        await using (var file = new FileStream(File, FileMode.Open))
            file.SetLength(file.Length / 2 / 4096 * 4096);
        var line = await RefusedAsync(new());
        line.ShouldContain(File);
        line.ShouldContain("the file is damaged: restore a backup");
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
