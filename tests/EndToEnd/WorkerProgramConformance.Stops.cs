using System.Text.Json;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

public abstract partial class WorkerProgramConformance
{
    [Fact]
    public async Task A_worker_holds_its_slots_and_its_prefetch_and_no_more()
    {
        var (gate, open) = Gate();
        var ids = new List<Guid>();
        for (var i = 0; i < 15; i++)
            ids.Add(await SubmitAsync("wait", new { gate }));
        await using var worker = await StartAsync(Options);

        await Eventually.UntilAsync(async () => await CountAsync(ids, "running") == 7, Patience, "two run and five wait in the worker");
        await Eventually.UntilAsync(() => Task.FromResult(Started(worker).Count == 2), Patience, "two run");
        open();
        foreach (var id in ids)
            (await Http.TaskAsync(id, "completed")).Whole("attempt").ShouldBe(1);
        Started(worker).ShouldBe(ids, ignoreOrder: true);
    }

    [Fact]
    public async Task SIGTERM_lets_running_tasks_finish_with_their_leases_and_releases_the_rest_without_counting_an_attempt()
    {
        var (gate, open) = Gate();
        var ids = new List<Guid>();
        for (var i = 0; i < 4; i++)
            ids.Add(await SubmitAsync("wait", new { gate, result = i }, attempts: 1));
        await using var worker = await StartAsync(Options with { Slots = 1, Lease = 8 });
        await Eventually.UntilAsync(async () => await CountAsync(ids, "running") == 4, Patience, "the worker holds all");
        await Eventually.UntilAsync(() => Task.FromResult(Started(worker).Count == 1), Patience, "one runs");
        var first = Started(worker)[0];

        worker.Stop();
        await Eventually.UntilAsync(async () => await CountAsync(ids, "pending") == 3, Patience, "those that wait are released at once");
        await Http.OutlivesLeaseAsync(first, TimeSpan.FromSeconds(8));
        open();
        await worker.EndAsync();

        (await Http.TaskAsync(first, "completed")).Whole("result").ShouldBe(ids.IndexOf(first));
        (await TimelineAsync(first)).ShouldBe(["submitted", "started", "completed"]);
        Started(worker).ShouldBe([first]);
        await using var second = await StartAsync(Options);
        foreach (var id in ids)
            await Http.TaskAsync(id, "completed");
    }

    [Fact]
    public async Task A_task_that_is_unfinished_after_the_drain_is_released_without_counting_an_attempt()
    {
        var (gate, open) = Gate();
        await using var worker = await StartAsync(Options with { DrainTimeout = 0.3 });
        var id = await SubmitAsync("wait", new { gate, result = "second" }, attempts: 1);
        await Eventually.UntilAsync(() => Task.FromResult(Started(worker).Count == 1), Patience, "it runs");

        worker.Stop();
        await worker.EndAsync();

        (await TimelineAsync(id))[^1].ShouldBe("snoozed");
        open();
        await using var second = await StartAsync(Options);
        (await Http.TaskAsync(id, "completed")).Text("result").ShouldBe("second");
    }

    [Fact]
    public async Task A_worker_that_an_operator_drains_finishes_its_task_claims_no_more_and_waits_for_its_stop()
    {
        var (gate, open) = Gate();
        var name = $"me-{_queue}";
        await using var worker = await StartAsync(Options with { Name = name, Slots = 1, Lease = 6 });
        var ids = new List<Guid>();
        for (var i = 0; i < 3; i++)
            ids.Add(await SubmitAsync("wait", new { gate }));
        await Eventually.UntilAsync(() => Task.FromResult(Started(worker).Count == 1), Patience, "one runs");
        var first = Started(worker)[0];
        var listed = await ListedAsync(name, w => w.Text("state") == "active");

        (await Http.PostAsync($"/workers/{listed.Text("id")}/drain", "")).Status.ShouldBe(202);
        await Eventually.UntilAsync(async () => await CountAsync(ids, "pending") == 2, Patience, "those that wait are released");
        open();
        await Http.TaskAsync(first, "completed");
        await ListedAsync(name, w => w.Text("state") == "stopped");

        (await CountAsync(ids, "pending")).ShouldBe(2);
        Started(worker).ShouldBe([first]);
        worker.Stop();
        await worker.EndAsync();
    }

    /// <summary>Waits until a worker is in the list, as expected.</summary>
    private async Task<JsonElement> ListedAsync(string name, Func<JsonElement, bool> expected)
    {
        JsonElement? found = null;
        await Eventually.UntilAsync(async () =>
        {
            var workers = (await Http.ReadAsync("/workers")).Json.GetProperty("workers").EnumerateArray();
            found = workers.Where(w => w.Text("name") == name && expected(w)).Select(w => (JsonElement?)w).FirstOrDefault();
            return found is not null;
        }, Patience, $"worker {name} is listed as expected");
        return found!.Value;
    }

    private async Task<int> CountAsync(IEnumerable<Guid> ids, string status) =>
        (await Task.WhenAll(ids.Select(Http.TaskAsync))).Count(t => t.Text("status") == status);
}
