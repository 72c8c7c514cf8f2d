using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The program on a machine with ICU, which the driver of SQL Server needs, and on one without.</summary>
public sealed class CulturesTests : IDisposable
{
    private const string Secret = "hunter2secret";
    private const string SqlServer = $"Server=127.0.0.1,1;Database=taskqueue;User ID=sa;Password={Secret};Connect Timeout=5";

    private readonly string folder = Directory.CreateTempSubdirectory("taskqueue-no-icu-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task Without_ICU_it_starts_on_SQLite()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite, migrate: false);

        await using var server = await TaskQueueProcess.StartAsync("api,scheduler,consumers", database.ConnectionString, rabbitMq: null,
            WithoutIcu());

        (await server.TerminateAsync()).ShouldBe(0, server.Output);
    }

    [Fact]
    public async Task Without_ICU_it_starts_on_PostgreSQL()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);

        await using var server = await TaskQueueProcess.StartAsync("api,scheduler,consumers", database.ConnectionString, rabbitMq: null,
            WithoutIcu());

        (await server.TerminateAsync()).ShouldBe(0, server.Output);
    }

    [Fact]
    public async Task Without_ICU_SQL_Server_is_refused_with_one_line_that_names_the_package() =>
        await RefusedAsync(WithoutIcu(), "ConnectionStrings:TaskQueue", "install", "libicu");

    [Fact]
    public async Task In_invariant_mode_the_line_names_the_variable_to_unset() =>
        await RefusedAsync(new() { ["DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"] = "1" }, "ConnectionStrings:TaskQueue",
            "unset DOTNET_SYSTEM_GLOBALIZATION_INVARIANT");

    [Fact]
    public async Task With_ICU_the_driver_connects() =>
        await RefusedAsync([], "cannot use SQL Server 127.0.0.1,1/taskqueue", "TCP Provider", "ConnectionStrings:TaskQueue");

    /// <summary>
    /// The loader searches this folder first, for every version that the runtime tries, and these files are not libraries.
    /// </summary>
    private Dictionary<string, string> WithoutIcu()
    {
        foreach (var library in new[] { "libicuuc", "libicui18n", "libicudata" })
        {
            foreach (var version in Enumerable.Range(50, 150).Select(number => $".{number}").Prepend(""))
                File.WriteAllText(Path.Combine(folder, $"{library}.so{version}"), "");
        }
        return new() { ["LD_LIBRARY_PATH"] = folder };
    }

    private static async Task RefusedAsync(Dictionary<string, string> environment, params string[] words)
    {
        environment["ConnectionStrings__TaskQueue"] = SqlServer;
        foreach (var args in new string[][] { ["migrate"], ["--urls", "http://127.0.0.1:0"] })
        {
            var (exitCode, output) = await TaskQueueProcess.RunAsync(args, environment);
            exitCode.ShouldBe(1, output);
            var line = output.Split('\n').Where(l => l.StartsWith("taskqueue: ", StringComparison.Ordinal)).ShouldHaveSingleItem(output);
            foreach (var word in words)
                line.ShouldContain(word, Case.Sensitive, output);
            output.ShouldNotContain(Secret);
        }
    }
}
