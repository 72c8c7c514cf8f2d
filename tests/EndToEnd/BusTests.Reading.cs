using System.Text.Json;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Bus.Connection;
using TaskQueue.Contracts;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Queues;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Messages with additional, missing or invalid members.</summary>
public abstract partial class BusTests
{
    [Fact]
    public async Task F03_A_task_with_members_that_no_producer_may_set_is_set_aside()
    {
        var forged = new ForgedTask(TaskId.New(TimeProvider.System), Queue, "{}")
        {
            Owner = "ann", BatchId = Guid.NewGuid(), Headers =
                """{"ak":"stolen"}""", Ending = new ForgedEnding("http://127.0.0.1/", "elsewhere", "\"forged\0\""),
        };
        var plain = new ForgedTask(TaskId.New(TimeProvider.System), Queue, "{}");
        await SendAsync(Addresses.Submit, Addresses.SubmitQueue, new ForgedSubmit([null, forged, plain]));
        await AcceptedAsync(plain.Id);

        (await SetAsideAsync($"SubmitTasks:{forged.Id}")).Reason.ShouldContain("owner is not a member");
        (await Http.ReadAsync($"/tasks/{forged.Id}")).Status.ShouldBe(404);
    }

    [Fact]
    public async Task F03_A_misspelled_member_of_a_message_is_named_with_the_nearest_known_one()
    {
        var id = TaskId.New(TimeProvider.System);
        await SendAsync(Addresses.Submit, Addresses.SubmitQueue, new MisspelledSubmit([new MisspelledTask(id, Queue, "{}", "2030-01-31")]));

        (await SetAsideAsync($"SubmitTasks:{id}")).Reason.ShouldBe("scheduleAt is not a member of this entry; did you mean scheduledAt?");
    }

    [Fact]
    public async Task F10_A_misspelled_member_of_a_retry_policy_sets_its_task_aside()
    {
        var id = TaskId.New(TimeProvider.System);
        await SendAsync(Addresses.Submit, Addresses.SubmitQueue, new LooseSubmit
        {
            Tasks = new[] { new { id, queue = Queue, payload = "{}", retry = new { firstSecond = 5 } } },
        });

        (await SetAsideAsync($"SubmitTasks:{id}")).Reason.ShouldBe("firstSecond is not a member of retry; did you mean firstSeconds?");
    }

    [Fact]
    public async Task F11_Members_that_a_report_does_not_have_do_not_undo_the_work()
    {
        var task = NewTask();
        await SubmitAsync(task);
        await AcceptedAsync(task.Id);
        await SendReportAsync(new LooseReport
        {
            Worker = "w",
            Started = new[] { new { taskId = task.Id, attempt = 1, leaseSecond = 60 } },
            Heartbeats = new[] { new { taskId = task.Id, attempt = 1, progres = "1" } },
            Outcomes = new[] { new { taskId = task.Id, attempt = 1, result = "\"done\"", resultType = "text" } },
        });

        (await Http.TaskAsync(task.Id, "completed")).Text("result").ShouldBe("done");
    }

    [Fact]
    public async Task An_absent_list_is_empty_and_the_readable_part_of_a_report_is_applied()
    {
        SubmittedTask[] tasks = [NewTask(), NewTask(), NewTask(), NewTask()];
        await SubmitAsync(tasks);
        foreach (var task in tasks)
            await AcceptedAsync(task.Id);
        await SendReportAsync(new LooseReport { Worker = "w" });
        await SendReportAsync(
            new LooseReport { Worker = "w", Started = tasks.Select(t => new { taskId = t.Id, attempt = 1 }).Append(null) });
        foreach (var task in tasks)
            await Http.TaskAsync(task.Id, "running");

        await SendReportAsync(new LooseReport
        {
            Worker = "w",
            Outcomes = new object?[]
            {
                null,
                new { taskId = tasks[0].Id, attempt = 1, snoozeSeconds = -1 },
                new { taskId = tasks[1].Id, attempt = 1, snoozeSeconds = 1e300 },
                new { taskId = tasks[2].Id, attempt = 1, error = "a\0b \ud800", retryable = false },
                new { taskId = tasks[3].Id, attempt = 1, result = "\"done\"" },
            },
        });

        (await Http.TaskAsync(tasks[3].Id, "completed")).Text("result").ShouldBe("done");
        (await Http.TaskAsync(tasks[2].Id, "failed")).Text("error").ShouldNotBeNull().ShouldStartWith("ab");
        (await SetAsideAsync($"ReportTasks:{tasks[0].Id}:1:AttemptOutcome")).Reason.ShouldContain("snooze_seconds");
        (await SetAsideAsync($"ReportTasks:{tasks[1].Id}:1:AttemptOutcome")).Reason.ShouldContain("snooze_seconds");
        (await Http.TaskAsync(tasks[0].Id)).Text("status").ShouldBe("running");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-5)]
    [InlineData(1e300)]
    public async Task A_start_with_an_invalid_lease_is_quarantined(double lease)
    {
        var task = NewTask();
        await SubmitAsync(task);
        await AcceptedAsync(task.Id);
        await SendReportAsync(
            new LooseReport { Worker = "w", Started = new[] { new { taskId = task.Id, attempt = 1, leaseSeconds = lease } } });

        (await SetAsideAsync($"ReportTasks:{task.Id}:1:AttemptStarted")).Reason.ShouldContain("lease_seconds");
        (await Http.TaskAsync(task.Id)).Text("status").ShouldBe("pending");
    }

    [Fact]
    public async Task Messages_with_an_invalid_worker_name_or_too_many_entries_are_refused_whole()
    {
        await SendReportAsync(new LooseReport { Worker = new string('w', 201) });
        await Eventually.UntilAsync(
            async () => (await WholeAsync(Addresses.ReportQueue))?.Reason.Contains("worker", StringComparison.Ordinal) == true,
            TestHttp.Patience,
            "the report is set aside");

        await SubmitAsync([.. Enumerable.Range(0, 1001).Select(_ => NewTask())]);
        await Eventually.UntilAsync(
            async () => (await WholeAsync(Addresses.SubmitQueue))?.Reason.Contains("1001 tasks", StringComparison.Ordinal) == true,
            TestHttp.Patience,
            "the message is set aside");
        (await WholeAsync(Addresses.SubmitQueue))!.State.ShouldBe("moved to taskqueue-submit_error");
    }

    [Fact]
    public async Task Unknown_and_unreadable_messages_are_moved_aside_and_the_next_is_read()
    {
        await SendAsync(Addresses.Submit, Addresses.SubmitQueue, new UnknownMessage("?"));
        await Eventually.UntilAsync(
            async () => (await WholeAsync(Addresses.SubmitQueue))?.State == "moved to taskqueue-submit_skipped", TestHttp.Patience,
            "the unknown message is set aside");
        await SendAsync(Addresses.Submit, Addresses.SubmitQueue,
            new UnreadableSubmit { Tasks = JsonSerializer.SerializeToElement("no list") });
        await Eventually.UntilAsync(
            async () => (await WholeAsync(Addresses.SubmitQueue))?.State == "moved to taskqueue-submit_error", TestHttp.Patience,
            "the unreadable message is set aside");

        var task = NewTask();
        await SubmitAsync(task);
        await AcceptedAsync(task.Id);
    }

    [Fact]
    public async Task An_unreadable_dispatch_is_moved_aside_and_the_next_one_runs()
    {
        const string queue = BuiltInQueues.Tasks;
        await SendAsync(new BusAddress(stack.RabbitMq is { } uri ? new Uri(uri) : null).Of(queue), queue,
            new UnreadableDispatch { Tasks = JsonSerializer.SerializeToElement("no list") });
        await Eventually.UntilAsync(
            async () => (await WholeAsync(queue))?.State == $"moved to {queue}_error",
            TestHttp.Patience, "the unreadable dispatch is set aside");

        await Http.TaskAsync(await Http.SubmitAsync(new { action = "uppercase", data = new { text = "a" } }), "completed");
    }

    [Fact]
    public async Task A_message_that_requests_a_response_is_refused()
    {
        var (bus, task) = (await BusAsync(), NewTask());
        var endpoint = await bus.GetSendEndpoint(
            stack.RabbitMq is null ? new BusAddress(null as Uri).Of(Addresses.SubmitQueue) : Addresses.Submit);
        await endpoint.Send(new SubmitTasks([task]), c => c.FaultAddress = bus.Address);

        (await SetAsideAsync("SubmitTasks:sender:")).Reason.ShouldContain("response");
        (await Http.ReadAsync($"/tasks/{task.Id}")).Status.ShouldBe(404);
    }

    private Task SendReportAsync(LooseReport report) => SendAsync(Addresses.Report, Addresses.ReportQueue, report);

    /// <summary>The last message moved to an error queue of the broker.</summary>
    private async Task<QuarantinedItem?> WholeAsync(string queue)
    {
        await using var db = stack.Database.CreateContext();
        return await db.Set<QuarantinedItem>().SingleOrDefaultAsync(i => i.Kind == "message" && i.Subject.StartsWith($"{queue}:message:"));
    }
}
