using Microsoft.Playwright;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The console while its server restarts, of a server that allows no changes, and behind a proxy.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class ConsoleRestartTests(ConsoleChromium chromium) : IClassFixture<ConsoleChromium>
{
    [Fact]
    public async Task A_page_recovers_when_the_server_comes_back()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        const string Roles = "api,scheduler,consumers";
        await using var server = await TaskQueueProcess.StartAsync(Roles, database.ConnectionString, null);
        await using var tab = await chromium.TabAsync(server.Http.BaseAddress!);
        await tab.GoAsync("queues");
        await Expect(tab.Live).ToHaveTextAsync("Live");
        tab.Errors.ShouldBeEmpty();
        server.Kill();
        await Expect(tab.Live).ToHaveTextAsync("Reconnecting");
        await Expect(tab.Page.GetByText("The server does not answer.").First).ToBeVisibleAsync();

        await using var restarted = await TaskQueueProcess.StartAsync(Roles, database.ConnectionString, null, port: server.Port);
        (await restarted.Http.PutAsync("/queues/afterwards", new { })).Status.ShouldBe(201);
        await Expect(tab.Live).ToHaveTextAsync("Live", new() { Timeout = 60_000 });
        await Expect(tab.Page.GetByText("The server does not answer.")).ToHaveCountAsync(0);
        await Expect(tab.Row("Queues", "afterwards")).ToBeVisibleAsync();
        await tab.DoAsync("Pause afterwards", "Pause queue");
        (await restarted.Http.ReadAsync("/queues/afterwards")).Json.GetProperty("paused").GetBoolean().ShouldBeTrue();
    }

    [Fact]
    public async Task A_server_in_read_only_mode_offers_no_changes()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await TestHost.StartAsync(database.ConnectionString,
            settings: new Dictionary<string, string?> { ["Logging:LogLevel:Default"] = "Error", ["TaskQueue:Console:ReadOnly"] = "true" });
        (await host.Http.PutAsync("/queues/mails", new { })).Status.ShouldBe(201);
        (await host.Http.PutAsync("/queues/mails/schedules/digest", new { cron = "0 8 * * 1-5" })).Status.ShouldBe(201);
        var id = await host.Http.SubmitAsync(new { queue = "mails", action = "x" });
        await using var tab = await chromium.TabAsync(host.Http.BaseAddress!);
        foreach (var path in new[] { "tasks", $"tasks/{id}", "queues", "queues/mails", "schedules", "schedules/mails/digest", "keys",
            "maintenance", "quarantine" })
        {
            await tab.GoAsync(path);
            await Expect(tab.Page.GetByText("Read only", new() { Exact = true })).ToBeVisibleAsync();
            await Expect(tab.Page.Locator(ConsoleTab.Changes)).ToHaveCountAsync(0);
        }

        tab.Errors.ShouldBeEmpty();
    }

    [Fact]
    public async Task It_works_below_a_path_of_a_proxy_whether_that_removes_the_path_or_not()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await TestHost.StartAsync(database.ConnectionString,
            settings: new Dictionary<string, string?>(KeyServer.Settings()) { ["TaskQueue:PathBase"] = "/queue" });
        foreach (var removesPath in new[] { false, true })
        {
            await using var proxy = await ConsoleProxy.StartAsync(host.Http.BaseAddress!, removesPath);
            var (root, queue) = (new Uri(proxy.Address, "/queue/"), removesPath ? "path-removed" : "path-kept");
            await using var tab = await chromium.TabAsync(root);
            await tab.Page.GotoAsync(root.ToString());
            await Expect(tab.Page).ToHaveURLAsync(new Uri(root, "console/").ToString());
            await tab.SignInAsync(KeyServer.Boss);
            await Expect(tab.Live).ToHaveTextAsync("Live");
            await tab.FollowAsync("Queues");
            await Expect(tab.Page).ToHaveURLAsync(new Uri(root, "console/queues").ToString());
            await tab.ButtonAsync("Declare a queue");
            await tab.Dialog.GetByLabel("Name").FillAsync(queue);
            await tab.Dialog.GetByRole(AriaRole.Button, new() { Name = "Declare" }).ClickAsync();
            var heading = tab.Page.GetByRole(AriaRole.Heading, new() { Name = queue });
            await Expect(heading).ToBeVisibleAsync();
            await Expect(tab.Page).ToHaveURLAsync(new Uri(root, $"console/queues/{queue}").ToString());
            await tab.Page.ReloadAsync();
            await Expect(heading).ToBeVisibleAsync();
            await tab.DoAsync($"Pause {queue}", "Pause queue");
            tab.Errors.ShouldBeEmpty();
        }
    }
}
