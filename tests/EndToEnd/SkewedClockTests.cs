using System.Globalization;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Two processes, and the clock of one of them is wrong: libfaketime gives it another time of day.</summary>
public sealed class SkewedClockTests : ProcessTests
{
    private static readonly string Library = Directory.GetDirectories("/usr/lib", "*-linux-gnu*")
        .Select(folder => Path.Combine(folder, "faketime", "libfaketimeMT.so.1")).First(File.Exists);

    private static DateTimeOffset In(double seconds) => TimeProvider.System.GetUtcNow().AddSeconds(seconds);

    [Theory]
    [InlineData(600)]
    [InlineData(-600)]
    public async Task A_process_whose_clock_is_wrong_starts_nothing_early_and_ends_no_lease(int seconds)
    {
        await using var right = await StartAsync(0);
        await using var wrong = await StartAsync(seconds);
        var scheduled = await right.Http.SubmitAsync(new { action = "x", queue = "scheduled", scheduled_at = In(300) });
        var pushed = await right.Http.SubmitAsync(new { action = "uppercase", data = new { text = "x" }, scheduled_at = In(300) });
        var expiring = await wrong.Http.SubmitAsync(new { action = "x", queue = "expiring", expires_at = In(300) });
        (await wrong.Http.PutAsync("/queues/ticks", new { })).Status.ShouldBe(201);
        var tick = In(300).UtcDateTime;
        (await wrong.Http.PutAsync("/queues/ticks/schedules/hourly", new { cron = $"{tick.Minute} {tick.Hour} * * *", action = "x" }))
            .Status.ShouldBeInRange(200, 201);
        List<Held> held = [await HoldAsync(right, "held-by-right", 60), await HoldAsync(wrong, "held-by-wrong", 60)];
        List<Held> left = [await HoldAsync(right, "left-by-right", 2), await HoldAsync(wrong, "left-by-wrong", 2)];

        foreach (var task in left)
        {
            await Eventually.UntilAsync(async () =>
            {
                foreach (var other in held)
                    (await other.By.Http.TellAsync("heartbeat", new { id = other.Id, attempt = 1 })).ShouldBe(["ok"], other.Queue);
                return await (task.By == right ? wrong : right).Http.ClaimAsync(task.Queue) is [var again] && again.Id() == task.Id;
            }, TestHttp.Patience, $"{task.Queue} is claimed again");
        }

        foreach (var task in held)
            (await task.By.Http.TellAsync("report", new { id = task.Id, attempt = 1, outcome = "completed" })).ShouldBe(["ok"], task.Queue);
        foreach (var process in new[] { right, wrong })
        {
            (await process.Http.ClaimAsync("scheduled")).ShouldBeEmpty();
            (await process.Http.ClaimAsync("ticks")).ShouldBeEmpty();
            foreach (var id in new[] { scheduled, pushed, expiring })
                (await process.Http.TaskAsync(id)).Text("status").ShouldBe("pending");
        }
    }

    [Theory]
    [InlineData(600)]
    [InlineData(-600)]
    public async Task Tasks_are_claimed_in_the_order_of_their_submission_whatever_the_clocks_of_the_processes(int seconds)
    {
        await using var right = await StartAsync(0);
        await using var wrong = await StartAsync(seconds);
        var ids = new List<Guid>();
        foreach (var process in new[] { right, wrong, right, wrong, right })
            ids.Add(await process.Http.SubmitAsync(new { action = "x", queue = "order" }));

        foreach (var (id, process) in ids.Zip([wrong, right, wrong, right, wrong]))
            (await process.Http.ClaimAsync("order")).Single().Id().ShouldBe(id);
    }

    private Task<TaskQueueProcess> StartAsync(int seconds) => TaskQueueProcess.StartAsync(
        "api,scheduler,consumers", Database.ConnectionString, RabbitMq, seconds == 0 ? null : new Dictionary<string, string>
        {
            ["LD_PRELOAD"] = Library,
            ["FAKETIME"] = seconds.ToString("+0;-0", CultureInfo.InvariantCulture),
            ["FAKETIME_DONT_FAKE_MONOTONIC"] = "1",
            ["FAKETIME_FORCE_MONOTONIC_FIX"] = "0", // else waits by the monotonic clock end at once
        });

    private static async Task<Held> HoldAsync(TaskQueueProcess by, string queue, int leaseSeconds)
    {
        var id = await by.Http.SubmitAsync(new { action = "x", queue });
        (await by.Http.ClaimAsync(queue, lease_seconds: leaseSeconds)).Single().Id().ShouldBe(id);
        return new Held(by, queue, id);
    }

    private sealed record Held(TaskQueueProcess By, string Queue, Guid Id);
}
