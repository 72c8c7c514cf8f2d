using System.Diagnostics;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Npgsql;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The console of a server that has a million tasks.</summary>
[Collection(ProcessesCollection.Name)]
public sealed partial class ConsoleMillionTests(ConsoleChromium chromium) : IClassFixture<ConsoleChromium>
{
    private const int Tasks = 1_000_000, OneFailsIn = 2000, AgeOfNeedle = 30_000;

    /// <summary>Rows of a page.</summary>
    private const int Page = 50;

    /// <summary>Generous, for a busy machine: it is rather 0.3 s.</summary>
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    // One every 10 ms. Ids begin with their time.
    private static readonly string Made =
        $$"""
        generate_series(1, {{Tasks}}) as n cross join lateral (select $1::bigint + n * 10 as ms) as moment
        cross join lateral (select to_timestamp(ms / 1000.0) as at,
            (lpad(to_hex(ms), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid as id) as made
        """;

    private static readonly string InsertTasks =
        $$"""
        insert into tasks (id, queue, tier, priority, push, name, payload, max_attempts, default_lease_ms, created_at, due_at)
        select id, 'q' || n % 20, 0, 2, false, case when n = {{Tasks - AgeOfNeedle}} then 'needle' else 'resize' end,
            '{"action":"resize","data":' || n || '}', 4, 15000, at, at
        from {{Made}}
        """;

    private static readonly string InsertOutcomes =
        $$"""
        insert into outcomes (id, state, queue, tier, attempt, attempts_left, lease_ms, worker, due_at, started_at, finished_at, error,
            dead)
        select id, case when n % {{OneFailsIn}} = 1 then 6 else 5 end, 'q' || n % 20, 0, 1, 3, 15000, 'w' || n % 30, at, at,
            at + interval '2 seconds', case when n % {{OneFailsIn}} = 1 then 'timeout after 3 s' end, false
        from {{Made}}
        """;

    [Fact]
    public async Task Tasks_are_listed_filtered_and_found_soon()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        await FillAsync(database.ConnectionString);
        await using var host = await TestHost.StartAsync(database.ConnectionString,
            settings: new Dictionary<string, string?> { ["Logging:LogLevel:Default"] = "Error" });
        await using var tab = await chromium.TabAsync(host.Http.BaseAddress!);
        await tab.GoAsync(""); // what comes once is not measured

        var pager = tab.Page.Locator(".pager");
        await SoonAsync(async () =>
        {
            await tab.FollowAsync("Tasks");
            await Expect(tab.Rows("Tasks")).ToHaveCountAsync(Page);
            await Expect(pager).ToContainTextAsync(AboutAMillion());
        });
        var first = tab.Rows("Tasks").First.Locator("a.mono");
        var newest = (await first.GetAttributeAsync("title"))!;
        await SoonAsync(async () =>
        {
            await tab.ButtonAsync("Older");
            await Expect(first).Not.ToHaveAttributeAsync("title", newest);
            await Expect(tab.Rows("Tasks")).ToHaveCountAsync(Page);
        });
        await SoonAsync(async () =>
        {
            await tab.ButtonAsync("failed");
            await Expect(pager).ToContainTextAsync($"{Tasks / OneFailsIn} tasks");
        });

        await tab.ButtonAsync("Clear all");
        await Expect(pager).ToContainTextAsync(AboutAMillion());
        await tab.Page.Locator("#page-search").FillAsync("name:needle");
        await tab.Page.Keyboard.PressAsync("Enter");
        var needle = tab.Page.GetByRole(AriaRole.Link, new() { Name = "needle", Exact = true });
        var further = tab.Page.GetByRole(AriaRole.Button, new() { Name = "Look further" });
        await Expect(needle.Or(further)).ToBeVisibleAsync();
        while (!await needle.IsVisibleAsync()) // a slow machine looks at fewer tasks at a time
        {
            var address = tab.Page.Url;
            await further.ClickAsync();
            await Expect(tab.Page).Not.ToHaveURLAsync(address);
            await Expect(tab.Page.Locator(".stale")).ToHaveCountAsync(0);
            await Expect(needle.Or(further)).ToBeVisibleAsync();
        }

        await needle.ClickAsync();
        await Expect(tab.Page.Locator("h1")).ToContainTextAsync("needle");
        tab.Errors.ShouldBeEmpty();
    }

    [GeneratedRegex(@"about (?:9\d\d k|1(?:\.\d)? M) tasks", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex AboutAMillion();

    private static async Task SoonAsync(Func<Task> action)
    {
        var since = Stopwatch.GetTimestamp();
        await action();
        Stopwatch.GetElapsedTime(since).ShouldBeLessThan(Soon);
    }

    private static async Task FillAsync(string connectionString)
    {
        var first = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() - (Tasks * 10L) - 60_000;
        await using var source = NpgsqlDataSource.Create(connectionString);
        await Task.WhenAll(ExecuteAsync(InsertTasks), ExecuteAsync(InsertOutcomes));
        await using var analyze = source.CreateCommand("analyze tasks, outcomes");
        await analyze.ExecuteNonQueryAsync();

        async Task ExecuteAsync(string sql)
        {
            await using var command = source.CreateCommand(sql);
            command.Parameters.Add(new NpgsqlParameter { Value = first });
            command.CommandTimeout = 300;
            await command.ExecuteNonQueryAsync();
        }
    }
}
