using System.Text.RegularExpressions;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The programs in the package READMEs work.</summary>
public sealed partial class PackageProgramTests(ServersStack stack) : IClassFixture<ServersStack>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _queue = $"p{Guid.NewGuid():N}";

    [Fact]
    public async Task The_program_of_the_contracts_submits_a_task()
    {
        var id = await PackagePrograms.ContractsAsync(stack.RabbitMq!, _queue).WaitAsync(Patience);

        var task = (await stack.Http.ClaimAsync(_queue, wait_seconds: 20)).ShouldHaveSingleItem(); // once the server has accepted it
        (task.Id(), task.Text("name")).ShouldBe((id, "send"));
    }

    [Fact]
    public async Task The_program_of_the_client_gets_its_greeting() =>
        (await PackagePrograms.ClientAsync(stack.Http.BaseAddress!, _queue).WaitAsync(Patience)).ShouldBe(new Greeting("Hello, Ann"));

    [Fact]
    public async Task The_program_over_RabbitMQ_gets_its_own_task()
    {
        (await stack.Http.PutAsync($"/queues/{_queue}", new { delivery = "push" })).Status.ShouldBeLessThan(300);

        (await PackagePrograms.RabbitMqAsync(new Uri(stack.RabbitMq!), _queue).WaitAsync(Patience)).ShouldContain("""{"name":"Ann"}""");
    }

    [Fact]
    public async Task The_program_over_gRPC_gets_its_own_task() =>
        (await PackagePrograms.GrpcAsync(stack.Http.BaseAddress!, _queue).WaitAsync(Patience)).ShouldContain("""{"name":"Ann"}""");

    [Fact]
    public async Task The_program_of_the_outbox_saves_an_order_and_its_task()
    {
        var file = Path.Combine(Path.GetTempPath(), $"taskqueue-outbox-{Guid.NewGuid():N}.db");
        var database = $"Data Source={file};Pooling=False";
        try
        {
            await using (var db = new ShopDb(new DbContextOptionsBuilder<ShopDb>().UseSqlite(database).Options))
                await db.Database.EnsureCreatedAsync();

            var id = await PackagePrograms.OutboxAsync(stack.Http.BaseAddress!, _queue, database).WaitAsync(Patience);

            var task = (await stack.Http.ClaimAsync(_queue)).ShouldHaveSingleItem();
            (task.Id(), task.Text("name")).ShouldBe((id, "ship"));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task The_program_for_Hangfire_runs_its_job() =>
        (await PackagePrograms.HangfireAsync(stack.Http.BaseAddress!, _queue).WaitAsync(Patience)).ShouldBe("Hello, Ann");

    [Fact]
    public async Task The_program_of_the_test_host_gets_its_greeting_a_day_later() =>
        (await PackagePrograms.TestingAsync().WaitAsync(Patience)).ShouldBe(new Greeting("Hello, Ann"));

    [Theory]
    [InlineData("Contracts")]
    [InlineData("Client")]
    [InlineData("Client.Grpc")]
    [InlineData("Client.RabbitMq")]
    [InlineData("Client.EntityFrameworkCore")]
    [InlineData("Client.Hangfire")]
    [InlineData("Client.Testing")]
    public void A_README_shows_only_programs_that_these_tests_run(string project)
    {
        var compiled = Flat(File.ReadAllText(Repository.FileAt("tests", "EndToEnd", "PackagePrograms.cs")));
        var shown = Example().Matches(File.ReadAllText(Repository.FileAt("src", project, "README.md")))
            .Select(m => Flat(m.Groups["code"].Value)).ToList();

        shown.ShouldNotBeEmpty();
        shown.ShouldAllBe(code => compiled.Contains(code, StringComparison.Ordinal));
    }

    private static string Flat(string code) =>
        string.Join('\n', code.Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0));

    [GeneratedRegex("```csharp\n(?<code>.*?)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Example();
}
