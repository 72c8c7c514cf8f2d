using Microsoft.Playwright;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>What can be done in the console, in a browser: with tasks, and by whom.</summary>
public sealed partial class ConsoleActionsTests(ConsoleSite site) : IClassFixture<ConsoleSite>
{
    [Fact]
    public async Task A_caller_signs_in_with_a_key_and_out_again()
    {
        await using var tab = await site.TabAsync(signedIn: false);
        await tab.GoAsync("queues/mails");
        await tab.Page.GetByLabel("API key").FillAsync("not-a-key");
        await tab.ButtonAsync("Sign in");
        await Expect(tab.Page.GetByRole(AriaRole.Alert)).ToContainTextAsync("This key is not accepted");
        (await tab.ViolationsAsync()).ShouldBeEmpty();

        await tab.Page.GetByLabel("API key").FillAsync(ConsoleSite.Key);
        await tab.Page.Keyboard.PressAsync("Enter");
        await Expect(tab.Page.GetByRole(AriaRole.Heading, new() { Name = "mails" })).ToBeVisibleAsync();
        await Expect(tab.Live).ToHaveTextAsync("Live");
        await tab.ButtonAsync("Sign out");
        await Expect(tab.Page.GetByLabel("API key")).ToBeVisibleAsync();
        await tab.Page.ReloadAsync();
        await Expect(tab.Page.GetByLabel("API key")).ToBeVisibleAsync();
        tab.Errors.ShouldAllBe(e => e.Contains("401", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_session_ends_with_its_key()
    {
        var issued = (await site.CallAsync("POST", "/keys", new { name = "leaver", tenant = "leaver", scopes = KeyServer.List("read") })).Json;
        await using var tab = await site.TabAsync(signedIn: false);
        await tab.SignInAsync(issued.Text("key")!);
        await Expect(tab.Live).ToHaveTextAsync("Live");
        await site.CallAsync("DELETE", $"/keys/{issued.Text("id")}");
        await Expect(tab.Page.GetByLabel("API key")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task A_reader_sees_no_actions()
    {
        var issued = (await site.CallAsync("POST", "/keys", new { name = "looker", tenant = "shop", scopes = KeyServer.List("read") })).Json;
        var task = (await site.CallAsync("POST", "/tasks", new { queue = "shop-orders", action = "pack" }, KeyServer.ShopAdmin)).Json.Id();
        await using var tab = await site.TabAsync(signedIn: false);
        await tab.SignInAsync(issued.Text("key")!);
        foreach (var hidden in new[] { "Keys", "Audit", "Maintenance", "Quarantine" })
            await Expect(tab.Page.GetByRole(AriaRole.Link, new() { Name = hidden, Exact = true })).ToHaveCountAsync(0);
        foreach (var path in new[] { "tasks", $"tasks/{task}", "queues", "queues/mails", "schedules", "failures", "batches", "workers" })
        {
            await tab.GoAsync(path);
            await Expect(tab.Page.Locator(ConsoleTab.Changes)).ToHaveCountAsync(0);
        }

        await tab.GoAsync("tasks");
        await Expect(tab.Rows("Tasks")).ToHaveCountAsync(1);
        tab.Errors.ShouldBeEmpty();
        await tab.GoAsync("keys");
        await Expect(tab.Page.GetByText("This page is not available to you")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task A_task_is_cancelled_retried_and_deleted()
    {
        var id = await site.SubmitAsync("held");
        await using var tab = await site.TabAsync();
        await tab.GoAsync($"tasks/{id}");
        var state = tab.Page.Locator("h1 .badge");
        await tab.ButtonAsync("Cancel");
        (await tab.ViolationsAsync()).ShouldBeEmpty();
        await tab.Dialog.GetByText("The same from a terminal").ClickAsync();
        await Expect(tab.Dialog.GetByText($"taskqueue cancel {id}")).ToBeVisibleAsync();
        await tab.Dialog.GetByRole(AriaRole.Button, new() { Name = "Keep as it is" }).ClickAsync();
        await Expect(state).ToHaveTextAsync("pending");

        await tab.DoAsync("Cancel", "Cancel task");
        await Expect(state).ToHaveTextAsync("cancelled");
        await tab.DoAsync("Retry", "Retry task");
        await Expect(state).ToHaveTextAsync("pending");
        await tab.DoAsync("Delete", "Delete task");
        await Expect(tab.Page.GetByRole(AriaRole.Heading, new() { Name = "Tasks" })).ToBeFocusedAsync();
        await GoneAsync(id);
        // The page may still read parts of the task when it is deleted.
        tab.Errors.Where(e => !(e.Contains("404", StringComparison.Ordinal) && e.Contains($"/tasks/{id}", StringComparison.Ordinal)))
            .ShouldBeEmpty();
    }

    [Fact]
    public async Task Chosen_tasks_are_cancelled_retried_and_deleted_together()
    {
        var ids = new[] { await site.SubmitAsync("heap"), await site.SubmitAsync("heap") };
        await using var tab = await site.TabAsync();
        foreach (var (verb, state) in new (string, string?)[]
                 { ("Cancel", "cancelled"), ("Retry", "pending"), ("Cancel", "cancelled"), ("Delete", null) })
        {
            await tab.GoAsync("tasks?queue=heap");
            foreach (var id in ids)
                await tab.Page.GetByLabel($"Select task {id}").CheckAsync();
            await Expect(tab.Page.GetByText("2 tasks selected")).ToBeVisibleAsync();
            await tab.DoAsync(verb, verb);
            foreach (var id in ids)
                await (state is null ? GoneAsync(id) : BecomesAsync(id, state));
        }

        await tab.GoAsync("tasks?queue=heap");
        await Expect(tab.Page.GetByText("No task matches")).ToBeVisibleAsync();
        tab.Errors.ShouldBeEmpty();
    }

    [Fact]
    public async Task Pages_show_what_happens_meanwhile()
    {
        await site.CallAsync("PUT", "/queues/busy", new { });
        await using var tab = await site.TabAsync();
        await tab.GoAsync("");
        var waiting = tab.Row("Queues", "busy").Locator("td").First;
        await Expect(waiting).ToHaveTextAsync("0");
        await site.CallAsync("POST", "/tasks/bulk", new { tasks = Enumerable.Repeat(new { queue = "busy", action = "x" }, 7) });
        await Expect(waiting).ToHaveTextAsync("7");

        await tab.FollowAsync("Tasks");
        await tab.ShownAsync();
        var id = await site.SubmitAsync("busy", "newcomer");
        await tab.Page.GetByRole(AriaRole.Link, new() { Name = "newcomer" }).ClickAsync();
        await Expect(tab.Page.Locator("h1")).ToContainTextAsync("newcomer");
        await site.CallAsync("POST", $"/tasks/{id}/cancel");
        await Expect(tab.Page.Locator("h1 .badge")).ToHaveTextAsync("cancelled");
        tab.Errors.ShouldBeEmpty();
    }

    private Task BecomesAsync(Guid id, string state) => Eventually.UntilAsync(
        async () => (await site.CallAsync("GET", $"/tasks/{id}")).Json.Text("status") == state, TestHttp.Patience, $"task {id} is {state}");

    private Task GoneAsync(Guid id) => Eventually.UntilAsync(
        async () => await site.StatusAsync("GET", $"/tasks/{id}") == 404, TestHttp.Patience, $"task {id} is deleted");
}
