using System.Text.Json;
using Microsoft.Playwright;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>With queues, schedules, keys, workers, failures, batches, callbacks, maintenance and the quarantine.</summary>
public sealed partial class ConsoleActionsTests
{
    [Fact]
    public async Task A_queue_is_declared_changed_paused_resumed_purged_and_deleted()
    {
        await using var tab = await site.TabAsync();
        await tab.GoAsync("queues");
        await tab.ButtonAsync("Declare a queue");
        await tab.Dialog.GetByLabel("Name").FillAsync("drawer");
        (await tab.ViolationsAsync()).ShouldBeEmpty();
        await tab.Dialog.GetByRole(AriaRole.Button, new() { Name = "Declare" }).ClickAsync();
        await Expect(tab.Page.Locator("h1")).ToContainTextAsync("drawer");

        await tab.Page.GetByLabel("Running at once").FillAsync("7");
        await tab.Page.GetByLabel("Tasks per interval").FillAsync("100");
        await SaveAsync();
        var queue = await QueueAsync("drawer");
        queue.Whole("max_running").ShouldBe(7);
        queue.GetProperty("rate").GetProperty("tokens").GetDouble().ShouldBe(100);
        await tab.Page.GetByLabel("Running at once").FillAsync("-1");
        await tab.ButtonAsync("Save settings");
        await Expect(tab.Page.GetByRole(AriaRole.Alert)).ToContainTextAsync("The settings were not saved");
        await tab.ButtonAsync("Discard");

        await tab.DoAsync("Pause drawer", "Pause queue");
        await Expect(tab.Page.Locator("h1 .badge")).ToHaveTextAsync("paused");
        await tab.Page.GetByLabel("Description").FillAsync("what is kept");
        await SaveAsync();
        (await QueueAsync("drawer")).GetProperty("paused").GetBoolean().ShouldBeTrue("what the form does not show stays");
        await tab.GoAsync("queues");
        await tab.DoAsync("Resume drawer", "Resume queue");
        (await QueueAsync("drawer")).GetProperty("paused").GetBoolean().ShouldBeFalse();

        await site.SubmitAsync("drawer");
        await tab.GoAsync("queues/drawer");
        await tab.DoAsync("Purge", "Purge queue", typed: "drawer");
        await Eventually.UntilAsync(
            async () => (await QueueAsync("drawer")).GetProperty("counts").GetProperty("waiting").GetInt64() == 0,
            TestHttp.Patience, "it is purged");
        await tab.DoAsync("Delete", "Delete queue", typed: "drawer");
        await Eventually.UntilAsync(
            async () => await site.StatusAsync("GET", "/queues/drawer") == 404, TestHttp.Patience, "it is deleted");

        async Task SaveAsync()
        {
            await tab.ButtonAsync("Save settings");
            await Expect(tab.Page.GetByText("The settings were saved.").Last).ToBeVisibleAsync();
            await Expect(tab.Page.GetByRole(AriaRole.Button, new() { Name = "Save settings" })).ToBeDisabledAsync();
        }
    }

    [Fact]
    public async Task Dead_letters_of_a_queue_are_retried()
    {
        await site.CallAsync("PUT", "/queues/letters", new { });
        var id = await site.SubmitAsync("letters");
        await site.RunAsync("letters", "postman-1", t => ConsoleSite.Failing(t, "Undeliverable", "moved away", retryable: false));
        await using var tab = await site.TabAsync();
        await tab.GoAsync("queues/letters");
        await tab.DoAsync("Retry dead letters", "Retry all");
        await BecomesAsync(id, "pending");
        tab.Errors.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_schedule_runs_now_and_is_paused_resumed_and_deleted()
    {
        await site.CallAsync("PUT", "/queues/reports/schedules/hand", new { cron = "0 0 1 1 *", action = "by-hand" });
        await using var tab = await site.TabAsync();
        await tab.GoAsync("schedules/reports/hand");
        await tab.DoAsync("Run now: hand", "Run now");
        await Expect(tab.Rows("Its last tasks")).ToHaveCountAsync(1);
        await Eventually.UntilAsync(
            async () => (await site.CallAsync("GET", "/tasks?name=by-hand&queue=reports")).Json.GetProperty("tasks").GetArrayLength() == 1,
            TestHttp.Patience, "its task waits");
        await tab.DoAsync("Pause hand", "Pause schedule");
        await Expect(tab.Page.Locator("h1 .badge")).ToHaveTextAsync("paused");
        await tab.DoAsync("Resume hand", "Resume schedule");
        await Expect(tab.Page.Locator("h1 .badge")).ToHaveTextAsync("active");
        await tab.DoAsync("Delete", "Delete schedule");
        await Eventually.UntilAsync(
            async () => await site.StatusAsync("GET", "/queues/reports/schedules/hand") == 404, TestHttp.Patience, "it is deleted");
    }

    [Fact]
    public async Task A_key_is_created_rotated_and_revoked_and_its_secrets_are_shown_once()
    {
        await using var tab = await site.TabAsync();
        await tab.GoAsync("keys");
        await tab.ButtonAsync("Create a key");
        await tab.Dialog.GetByLabel("Name").FillAsync("fresh");
        await tab.Dialog.GetByLabel("Tenant").FillAsync("fresh");
        await tab.Dialog.GetByRole(AriaRole.Button, new() { Name = "Create key" }).ClickAsync();
        var secret = await SecretAsync();
        (await site.StatusAsync("GET", "/queues", secret)).ShouldBe(200);
        (await tab.Page.ContentAsync()).ShouldNotContain(secret);

        await tab.DoAsync("Rotate fresh", "Rotate key");
        var second = await SecretAsync();
        second.ShouldNotBe(secret);
        await tab.DoAsync("Revoke fresh", "Revoke key", typed: "fresh");
        foreach (var key in new[] { secret, second })
        {
            await Eventually.UntilAsync(
                async () => await site.StatusAsync("GET", "/queues", key) == 401, TestHttp.Patience, "it is no longer accepted");
        }

        await Expect(tab.Row("Keys", "fresh")).ToHaveCountAsync(0);
        tab.Errors.ShouldBeEmpty();

        async Task<string> SecretAsync()
        {
            var shown = (await tab.Page.Locator(".secret code").TextContentAsync())!;
            (await tab.ViolationsAsync()).ShouldBeEmpty();
            await tab.ButtonAsync("I have copied it");
            await Expect(tab.Dialog).ToHaveCountAsync(0);
            return shown;
        }
    }

    [Fact]
    public async Task A_worker_is_drained_and_a_lost_one_forgotten()
    {
        await site.SubmitAsync("belt");
        await site.ClaimAsync("belt", "packer-1");
        await using var tab = await site.TabAsync();
        await tab.GoAsync("workers");
        await Expect(tab.Row("Workers", "packer-1")).ToContainTextAsync("1/8");
        await tab.DoAsync("Drain packer-1", "Drain worker");
        await Expect(tab.Row("Workers", "packer-1").Locator(".badge")).ToHaveTextAsync("draining");
        await Eventually.UntilAsync(
            async () => (await site.CallAsync("POST", "/workers/claim", new { queues = KeyServer.List("belt"), worker = "packer-1" })).Json
                .TryGetProperty("drain", out var drain) && drain.GetBoolean(),
            TestHttp.Patience, "it is told");

        await tab.GoAsync("workers?state=lost");
        await tab.DoAsync("Forget resizer-0", "Forget worker");
        await Expect(tab.Row("Workers", "resizer-0")).ToHaveCountAsync(0);
        tab.Errors.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_failure_is_resolved_reopened_and_ignored()
    {
        await site.SubmitAsync("fragile");
        await site.RunAsync("fragile", "potter-1", t => ConsoleSite.Failing(t, "Broken", "it fell down", retryable: false));
        string? id = null;
        await Eventually.UntilAsync(async () =>
        {
            var groups = (await site.CallAsync("GET", "/failures?queue=fragile")).Json.GetProperty("groups");
            return groups.GetArrayLength() == 1 && (id = groups[0].Text("id")) is not null;
        }, TestHttp.Patience, "it is counted");

        await using var tab = await site.TabAsync();
        await tab.GoAsync($"failures/{id}");
        await Expect(tab.Page.GetByRole(AriaRole.Region, new() { Name = "Stack" })).ToContainTextAsync("Mailer.cs:line 71");
        foreach (var (verb, state) in new[] { ("Resolve", "resolved"), ("Reopen", "open"), ("Ignore", "ignored") })
        {
            await tab.DoAsync(verb, verb);
            await Expect(tab.Page.Locator("h1 .badge")).ToHaveTextAsync(state);
        }

        tab.Errors.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_batch_is_cancelled_while_it_runs()
    {
        var id = await site.CreateBatchAsync();
        await using var tab = await site.TabAsync();
        await tab.GoAsync($"batches/{id}");
        await tab.DoAsync("Cancel", "Cancel batch");
        await Expect(tab.Page.Locator("h1 .badge")).ToHaveTextAsync("cancelled");
        await Expect(tab.Page.GetByRole(AriaRole.Button, new() { Name = "Cancel", Exact = true })).ToHaveCountAsync(0);
        tab.Errors.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_callback_is_sent_again()
    {
        await using var tab = await site.TabAsync();
        await tab.GoAsync($"callbacks?task={site.WithCallback}");
        await Expect(tab.Page.Locator(".steps li")).ToHaveCountAsync(1);
        await tab.DoAsync("Resend", "Send again");
        await Expect(tab.Page.Locator(".steps li")).ToHaveCountAsync(2);
        var sent = site.Receiver.All.Where(r => r.Path == "/printed").ToList();
        sent.Count.ShouldBe(2);
        sent[1].Headers["webhook-id"].ShouldBe(sent[0].Headers["webhook-id"]);
        tab.Errors.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_maintenance_job_runs_now_and_the_audit_tells()
    {
        await using var tab = await site.TabAsync();
        await tab.GoAsync("maintenance");
        await tab.DoAsync("Run now: abandoned-files", "Run now");
        await Expect(tab.Row("Maintenance jobs", "abandoned-files").Locator(".badge")).ToHaveTextAsync("succeeded");
        await tab.GoAsync("audit?action=maintenance");
        await Expect(tab.Row("Audit records", "abandoned-files").First).ToContainTextAsync("boss");
        tab.Errors.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_quarantined_item_that_cannot_be_released_is_dropped()
    {
        await site.QuarantineAsync("broken-message", "the message is no JSON");
        await using var tab = await site.TabAsync();
        await tab.GoAsync("quarantine");
        var row = tab.Row("Quarantined items", "broken-message");
        await row.GetByRole(AriaRole.Button, new() { Name = "Release" }).ClickAsync();
        await tab.Dialog.GetByRole(AriaRole.Button, new() { Name = "Release", Exact = true }).ClickAsync();
        await Expect(tab.Dialog).ToContainTextAsync("drop the item");
        await tab.Dialog.GetByRole(AriaRole.Button, new() { Name = "Keep as it is" }).ClickAsync();
        await row.GetByRole(AriaRole.Button, new() { Name = "Drop" }).ClickAsync();
        await tab.Dialog.GetByRole(AriaRole.Button, new() { Name = "Drop", Exact = true }).ClickAsync();
        await Expect(row).ToHaveCountAsync(0);
        tab.Errors.ShouldAllBe(e => e.Contains("409", StringComparison.Ordinal));
    }

    private async Task<JsonElement> QueueAsync(string name) => (await site.CallAsync("GET", $"/queues/{name}")).Json;
}
