using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Time-based transitions of tasks.</summary>
public abstract class SchedulerChecks(Stack stack)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);

    protected Stack Stack { get; } = stack;

    protected static DateTime Now => TimeProvider.System.GetUtcNow().UtcDateTime;

    [Fact]
    public async Task Tasks_due_at_the_same_time_are_each_dispatched_and_run_once_and_not_before_it()
    {
        var due = Now.AddSeconds(8);
        var ids = await Stack.Http.SubmitManyAsync(Enumerable.Repeat(new { action = "x", scheduled_at = due }, 300));
        Now.ShouldBeLessThan(due);

        var events = await EventsAsync(ids, TaskEventType.Completed);

        foreach (var steps in events.GroupBy(e => e.TaskId))
            steps.Select(e => e.Type)
                .ShouldBe([TaskEventType.Submitted, TaskEventType.Dispatched, TaskEventType.Started, TaskEventType.Completed]);
        events.Where(e => e.Type != TaskEventType.Submitted).Min(e => e.At)
            .ShouldBeGreaterThanOrEqualTo(due.AddMicroseconds(-1)); // kept with microseconds
        (await FirstAsync(ids)).ShouldBeGreaterThanOrEqualTo(due.AddMicroseconds(-1));
        events.Where(e => e.Type == TaskEventType.Dispatched).Max(e => e.At).ShouldBeLessThan(due.AddSeconds(20));
    }

    [Fact]
    public async Task Tasks_not_started_in_time_expire_once_and_never_run()
    {
        var expires = Now.AddSeconds(3);
        var ids = await Stack.Http.SubmitManyAsync(
            Enumerable.Repeat<object>(new { action = "x", queue = "expiring", expires_at = expires }, 100)
                .Concat(Enumerable.Repeat<object>(new { action = "x", scheduled_at = expires.AddSeconds(1), expires_at = expires }, 100)));

        var events = await EventsAsync(ids, TaskEventType.Expired);

        foreach (var steps in events.GroupBy(e => e.TaskId))
            steps.Select(e => e.Type).ShouldBe([TaskEventType.Submitted, TaskEventType.Expired]);
        events.Where(e => e.Type == TaskEventType.Expired).Min(e => e.At).ShouldBeGreaterThanOrEqualTo(expires.AddMicroseconds(-1));
        (await FirstAsync(ids)).ShouldBeGreaterThanOrEqualTo(expires.AddMicroseconds(-1));
        (await Stack.Http.ClaimAsync("expiring")).ShouldBeEmpty();
    }

    [Fact]
    public async Task An_expired_lease_leads_to_the_next_attempt_or_finally_to_failure()
    {
        var id = await Stack.Http.SubmitAsync(new { action = "x", queue = "lapsing", max_attempts = 2 });
        (await ClaimedAsync("lapsing")).Whole("attempt").ShouldBe(1);
        (await Stack.Http.TaskAsync(id, "retrying")).Text("error").ShouldStartWith("lease of attempt 1 expired");
        (await ClaimedAsync("lapsing")).Whole("attempt").ShouldBe(2);
        (await Stack.Http.TaskAsync(id, "failed")).Text("error").ShouldStartWith("lease of attempt 2 expired");

        var events = await EventsAsync([id], TaskEventType.Failed);
        events.Select(e => e.Type).ShouldBe(
            [TaskEventType.Submitted, TaskEventType.Started, TaskEventType.Retrying, TaskEventType.Started, TaskEventType.Failed]);
        foreach (var (started, lapsed) in new[] { (1, 2), (3, 4) })
            (events[lapsed].At - events[started].At).ShouldBeInRange(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(20));
    }

    /// <summary>Waits until every task has ended, and returns their events.</summary>
    protected async Task<List<TaskEvent>> EventsAsync(IReadOnlyCollection<Guid> ids, TaskEventType end)
    {
        List<TaskEvent> events = [];
        await Eventually.UntilAsync(
            async () =>
            {
                await using var db = Stack.Database.CreateContext();
                events = [.. (await db.EventsAsync()).Where(e => ids.Contains(e.TaskId))];
                return events.Count(e => e.Type == end) >= ids.Count;
            },
            Patience, $"{ids.Count} tasks are {end}");
        return events;
    }

    /// <summary>
    /// When the first of ended tasks was dispatched, started or finished; events share the time of the last in their row.
    /// </summary>
    private async Task<DateTime> FirstAsync(IReadOnlyCollection<Guid> ids)
    {
        await using var db = Stack.Database.CreateContext();
        var tasks = await db.Tasks.Where(t => ids.Contains(t.CorrelationId)).Select(t => new { t.StartedAt, t.FinishedAt }).ToListAsync();
        var attempts = await db.Attempts.Where(a => ids.Contains(a.TaskId)).Select(a => a.EndedAt).ToListAsync();
        return tasks.Select(t => t.StartedAt ?? t.FinishedAt!.Value).Concat(attempts).Min();
    }

    private async Task<JsonElement> ClaimedAsync(string queue) =>
        (await Stack.Http.ClaimAsync(queue, lease_seconds: 1, wait_seconds: 20)).ShouldHaveSingleItem();
}

public sealed class SchedulerOnSqliteTests(SqliteStack stack) : SchedulerChecks(stack), IClassFixture<SqliteStack>;

/// <summary>Two concurrent schedulers are safe.</summary>
public sealed class SchedulersOnPostgresTests(SplitStack stack) : SchedulerChecks(stack), IClassFixture<SplitStack>
{
    [Fact]
    public async Task A_failed_push_task_is_dispatched_again_after_its_backoff()
    {
        const string queue = "failing-push";
        (await Stack.Http.PutAsync($"/queues/{queue}", new { delivery = "push" })).Status.ShouldBe(201);
        await using var worker = await BusWorker.StartAsync(Stack.RabbitMq!, queue,
            (w, t) => t.Attempt == 1 ? w.FailAsync(t) : w.CompleteAsync(t));
        var id = await Stack.Http.SubmitAsync(new { action = "x", queue });

        var events = await EventsAsync([id], TaskEventType.Completed);

        events.Select(e => e.Type).ShouldBe(
            [TaskEventType.Submitted, TaskEventType.Started, TaskEventType.Retrying, TaskEventType.Dispatched, TaskEventType.Started,
                TaskEventType.Completed]);
        var (retrying, dispatched) = (events[2], events[3]);
        (retrying.DueAt!.Value - retrying.At).ShouldBe(RetryBackoff.After(null, 1, Guid.Empty));
        (dispatched.At - retrying.DueAt.Value).ShouldBeInRange(TimeSpan.Zero, TimeSpan.FromSeconds(20));
    }
}
