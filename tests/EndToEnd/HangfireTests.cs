using Hangfire;
using Hangfire.States;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Tests.Servers;
using TaskQueue.Tests.Unit;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Programs that were written for Hangfire, on TaskQueue.</summary>
public sealed class HangfireTests(SqliteStack stack) : IClassFixture<SqliteStack>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private Uri Server => stack.Http.BaseAddress!;

    [Fact]
    public async Task The_same_call_sites_have_the_same_effects_before_and_after()
    {
        var before = await OwnHangfire.RunAsync();

        await using var worker = await StartAsync();
        var ledger = worker.Services.GetRequiredService<ShopLedger>();
        worker.Services.GetRequiredService<ShopCalls>().Sell();
        await Eventually.UntilAsync(() => Task.FromResult(ledger.Lines.Count >= ShopCalls.Effects), Patience,
            () => string.Join('\n', ledger.Lines));

        before.Length.ShouldBe(ShopCalls.Effects, string.Join('\n', before));
        ledger.Lines.ShouldBe(before);
        before.ShouldContain("mail to ann: 7 12.5 tea+cup 2031-02-03T04:05:06.0000000+00:00");
        before.ShouldContain("packed box in de-DE");
    }

    [Fact]
    public async Task Results_are_kept_and_final_failures_are_dead_letters_that_can_be_requeued()
    {
        await using var worker = await StartAsync();
        var (jobs, client) = (Jobs(worker), Client(worker));

        var booked = jobs.Enqueue<ShopJobs>(j => j.BookAsync(21, CancellationToken.None));
        (await client.WaitForResultAsync<int>(Guid.Parse(booked), Patience)).ShouldBe(42);
        jobs.Delete(booked).ShouldBeFalse(); // it has succeeded
        Should.Throw<NotSupportedException>(() => jobs.Requeue(booked)).Message.ShouldContain("completed");

        // Nobody may run this class: it is not allowed in the worker.
        var refused = jobs.Enqueue<HangfireTestJobs>(j => j.Send("ann", 1));
        var failed = await client.WaitAsync(Guid.Parse(refused), Patience);
        (failed.Status, failed.DeadLetter, failed.Attempt).ShouldBe((QueuedTaskStatus.Failed, true, 1));
        failed.Error.ShouldNotBeNull().ShouldContain("has no processor for 'hangfire:TaskQueue.Tests.Unit.HangfireTestJobs.Send'");
        jobs.Requeue(refused, ProcessingState.StateName).ShouldBeFalse();
        jobs.Requeue(refused, FailedState.StateName).ShouldBeTrue();
        (await client.WaitAsync(Guid.Parse(refused), Patience)).Attempt.ShouldBe(2);
        jobs.Delete(refused).ShouldBeTrue();
        (await client.GetAsync(Guid.Parse(refused))).ShouldBeNull();
        jobs.Delete(refused).ShouldBeFalse();
        jobs.Delete("17").ShouldBeFalse();
    }

    [Fact]
    public async Task A_scheduled_job_waits_and_can_be_deleted_and_requeued()
    {
        await using var worker = await StartAsync();
        var (jobs, client) = (Jobs(worker), Client(worker));
        var at = new DateTimeOffset(2040, 1, 2, 3, 4, 5, TimeSpan.Zero);

        var id = jobs.Schedule<ShopJobs>(j => j.Ship("later"), at);

        var task = (await client.GetAsync(Guid.Parse(id))).ShouldNotBeNull();
        (task.Status, task.DueAt, task.Name, task.MaxAttempts)
            .ShouldBe((QueuedTaskStatus.Pending, at, "hangfire:TaskQueue.Tests.EndToEnd.ShopJobs.Ship", 11));
        Should.Throw<NotSupportedException>(() => jobs.Reschedule(id, TimeSpan.FromHours(1)));
        jobs.Delete(id, EnqueuedState.StateName).ShouldBeFalse(); // it is scheduled
        jobs.Delete(id, ScheduledState.StateName).ShouldBeTrue();
        (await client.GetStatusAsync(task.Id)).ShouldBe(QueuedTaskStatus.Cancelled);
        jobs.Delete(id).ShouldBeTrue();
    }

    [Fact]
    public async Task A_continuation_waits_for_its_parent_and_is_skipped_when_that_is_deleted()
    {
        await using var worker = await StartAsync();
        var (jobs, client, ledger) = (Jobs(worker), Client(worker), worker.Services.GetRequiredService<ShopLedger>());
        var parent = jobs.Schedule<ShopJobs>(j => j.Ship("parent"), TimeSpan.FromDays(1));
        var after = Guid.Parse(jobs.ContinueJobWith<ShopJobs>(parent, j => j.Ship("after success")));
        var instead = Guid.Parse(jobs.ContinueJobWith<ShopJobs>(parent, j => j.Ship("after its end"),
            options: JobContinuationOptions.OnAnyFinishedState));
        var third = Guid.Parse(jobs.ContinueJobWith<ShopJobs>($"{after}", j => j.Ship("after that")));
        var consolation = Guid.Parse(jobs.ContinueJobWith<ShopJobs>($"{after}", j => j.Ship("because it was skipped"),
            options: JobContinuationOptions.OnlyOnDeletedState));
        await Eventually.UntilAsync(async () => (await client.GetAsync(after))!.Attempt > 0, Patience, "the worker has looked at it");

        jobs.Delete(parent).ShouldBeTrue();

        (await client.WaitAsync(after, Patience)).Status.ShouldBe(QueuedTaskStatus.Completed);
        (await client.WaitAsync(instead, Patience)).Status.ShouldBe(QueuedTaskStatus.Completed);
        (await client.WaitAsync(third, Patience)).Result!.Value.GetRawText().ShouldContain("skipped");
        (await client.WaitAsync(consolation, Patience)).Status.ShouldBe(QueuedTaskStatus.Completed);
        ledger.Lines.ShouldBe(["shipped after its end", "shipped because it was skipped"]);
        jobs.Delete($"{after}", SucceededState.StateName).ShouldBeFalse();
        jobs.Delete($"{after}").ShouldBeTrue(); // it counts as deleted
        Should.Throw<BackgroundJobClientException>(() => jobs.ContinueJobWith<ShopJobs>(Guid.NewGuid().ToString(), j => j.Ship("never")))
            .Message.ShouldContain("there is no job");
    }

    [Fact]
    public async Task Recurring_jobs_are_schedules_that_change_move_fire_and_go()
    {
        await using var worker = await StartAsync();
        var recurring = worker.Services.GetRequiredService<IRecurringJobManagerV2>();
        var (client, ledger) = (Client(worker), worker.Services.GetRequiredService<ShopLedger>());
        var berlin = new RecurringJobOptions { TimeZone = TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin") };

        recurring.AddOrUpdate<ShopJobs>("daily report", j => j.Ship("report"), "0 8 * * 1-5", berlin);
        var first = (await ReportsAsync()).ShouldHaveSingleItem();
        (first.Queue, first.Cron, first.TimeZone, first.Version).ShouldBe(("default", "0 8 * * 1-5", "Europe/Berlin", 1));
        recurring.AddOrUpdate<ShopJobs>("daily report", j => j.Ship("report"), "0 8 * * 1-5", berlin);
        (await ReportsAsync()).ShouldHaveSingleItem().Version.ShouldBe(1); // unchanged, so the next tick stays
        recurring.AddOrUpdate<ShopJobs>("daily report", j => j.Ship("long report"), Cron.Daily(), berlin);
        (await ReportsAsync()).ShouldHaveSingleItem().Version.ShouldBe(2);
        recurring.AddOrUpdate<ShopJobs>("daily report", "urgent", j => j.Ship("long report"), Cron.Daily(), berlin);
        (await ReportsAsync()).ShouldHaveSingleItem().Queue.ShouldBe("urgent");

        var triggered = Guid.Parse(recurring.TriggerJob("daily report"));
        (await client.WaitAsync(triggered, Patience)).Status.ShouldBe(QueuedTaskStatus.Completed);
        ledger.Lines.ShouldBe(["shipped long report"]);
        recurring.RemoveIfExists("daily report");
        (await ReportsAsync()).ShouldBeEmpty();
        recurring.RemoveIfExists("daily report");
        recurring.TriggerJob("daily report").ShouldBeNull();

        // A schedule of its own is never replaced.
        await client.ScheduleAsync("default", "backup", new NewSchedule("0 0 * * *", "backup"));
        Should.Throw<InvalidOperationException>(() => recurring.AddOrUpdate<ShopJobs>("backup", j => j.CountStock(), Cron.Daily()))
            .Message.ShouldContain("rename one of them");

        async Task<List<ScheduleInfo>> ReportsAsync() =>
            await client.SchedulesAsync().Where(s => s.Description.Contains("'daily report'", StringComparison.Ordinal)).ToListAsync();
    }

    [Fact]
    public async Task Applications_with_the_same_id_of_a_recurring_job_leave_each_other_alone()
    {
        await using var worker = await StartAsync();
        var client = Client(worker);
        var (shop, depot, daily) = (Own("shop-x"), Own("depot-x"), new RecurringJobOptions());

        shop.AddOrUpdate<ShopJobs>("clean-up-x", "shop-x", j => j.Ship("waste"), Cron.Daily(), daily);
        depot.AddOrUpdate<ShopJobs>("clean-up-x", "depot-x", j => j.BookAsync(1, CancellationToken.None), Cron.Daily(), daily);
        (await QueuesAsync()).ShouldBe(["depot-x", "shop-x"]);
        var anyone = worker.Services.GetRequiredService<IRecurringJobManagerV2>();
        anyone.AddOrUpdate<ShopJobs>("clean-up-x", "third-x", j => j.Pack("x", JobCancellationToken.Null), Cron.Daily(), daily);
        (await QueuesAsync()).ShouldBe(["depot-x", "shop-x", "third-x"]);

        Should.Throw<BackgroundJobClientException>(() => anyone.RemoveIfExists("clean-up-x")).Message
            .ShouldContain("hangfire:TaskQueue.Tests.EndToEnd.ShopJobs.Ship in queue shop-x");
        Should.Throw<BackgroundJobClientException>(() => anyone.TriggerJob("clean-up-x")).Message.ShouldContain("RecurringQueues");
        Should.Throw<ArgumentException>(() =>
            shop.AddOrUpdate<ShopJobs>("clean-up-x", "depot-x", j => j.Ship("waste"), Cron.Daily(), daily))
            .Message.ShouldContain("RecurringQueues");
        shop.RemoveIfExists("clean-up-x");
        shop.TriggerJob("clean-up-x").ShouldBeNull();
        (await QueuesAsync()).ShouldBe(["depot-x", "third-x"]);

        TaskQueueRecurringJobs Own(string queue) => new(client, new HangfireClientOptions { RecurringQueues = { queue } });

        async Task<List<string>> QueuesAsync() =>
            [.. (await client.SchedulesAsync().Where(s => s.Name == "clean-up-x").ToListAsync()).Select(s => s.Queue).Order()];
    }

    [Fact]
    public async Task A_recurring_job_whose_method_and_queue_change_leaves_no_schedule_behind_in_queues_of_its_application()
    {
        await using var worker = await StartAsync();
        var client = Client(worker);
        var (shop, depot, daily) = (Own("old-y", "new-y"), Own("depot-y"), new RecurringJobOptions());
        depot.AddOrUpdate<ShopJobs>("clean-up-y", "depot-y", j => j.Ship("waste"), Cron.Daily(), daily);
        shop.AddOrUpdate<ShopJobs>("clean-up-y", "old-y", j => j.Ship("waste"), Cron.Daily(), daily);

        shop.AddOrUpdate<ShopJobs>("clean-up-y", "new-y", j => j.BookAsync(1, CancellationToken.None), Cron.Daily(), daily);

        (await QueuesAsync()).ShouldBe(["depot-y", "new-y"]);

        // Its programs may disagree: all of its schedules are found.
        Own("old-y").AddOrUpdate<ShopJobs>("clean-up-y", "old-y", j => j.Ship("waste"), Cron.Daily(), daily);
        (await QueuesAsync()).ShouldBe(["depot-y", "new-y", "old-y"]);
        var triggered = (await client.GetAsync(Guid.Parse(shop.TriggerJob("clean-up-y").ShouldNotBeNull()))).ShouldNotBeNull();
        triggered.Queue.ShouldBe("old-y"); // that was changed last
        shop.RemoveIfExists("clean-up-y");
        (await QueuesAsync()).ShouldBe(["depot-y"]);

        TaskQueueRecurringJobs Own(params string[] queues)
        {
            var options = new HangfireClientOptions();
            foreach (var queue in queues)
                options.RecurringQueues.Add(queue);
            return new TaskQueueRecurringJobs(client, options);
        }

        async Task<List<string>> QueuesAsync() =>
            [.. (await client.SchedulesAsync().Where(s => s.Name == "clean-up-y").ToListAsync()).Select(s => s.Queue).Order()];
    }

    [Fact]
    public async Task A_job_that_fails_is_retried_as_its_attribute_says()
    {
        await using var worker = await StartAsync();
        var id = Guid.Parse(Jobs(worker).Enqueue<ShopJobs>(j => j.Flaky("x", null!)));

        var task = await Client(worker).WaitAsync(id, Patience);

        (task.Status, task.Attempt, task.MaxAttempts, task.Error).ShouldBe((QueuedTaskStatus.Completed, 2, 3, null));
        worker.Services.GetRequiredService<ShopLedger>().Lines.ShouldBe(["try 0 of x", "try 1 of x"]);
    }

    private static IBackgroundJobClient Jobs(WorkerRun worker) => worker.Services.GetRequiredService<IBackgroundJobClient>();

    private static TaskQueueClient Client(WorkerRun worker) => worker.Services.GetRequiredService<TaskQueueClient>();

    private Task<WorkerRun> StartAsync() => WorkerRun.StartAsync(
        Server,
        o =>
        {
            o.Queues.Add("urgent");
            o.Queues.Add("default");
            o.UseHangfireJobs(jobs => jobs.Allow<ShopJobs>().Allow<IShopMailer>());
        },
        services => services.AddTaskQueueHangfire().AddSingleton<ShopLedger>().AddSingleton<ShopCalls>()
            .AddTransient<IShopMailer, ShopMailer>());
}
