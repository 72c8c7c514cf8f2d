using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

public abstract partial class TaskStoreConformance
{
    [Theory]
    [InlineData(ClaimOrder.FirstTarget)]
    [InlineData(ClaimOrder.Oldest)]
    [InlineData(ClaimOrder.RoundRobin)]
    [InlineData(ClaimOrder.ActivePassive)]
    public async Task A_claim_stops_at_the_byte_limit_and_leaves_the_rest_waiting(ClaimOrder order)
    {
        var tasks = Enumerable.Range(0, 6).Select(n => New("q", t => (t.Payload, t.Headers) = (Text(700), n % 2 == 0 ? Text(300) : null)))
            .ToList();
        await Store.InsertAsync([.. tasks.Select(t => new NewTask(t))]);
        var request = Request(100, "q") with { Order = order, MaxBytes = 2000 };

        var claimed = new List<int>();
        while (await Store.ClaimAsync(request, ClaimRules.None, Later) is { Count: > 0 } some)
        {
            claimed.Add(some.Count);
            (await Database.GetAsync(some[0].CorrelationId)).State.ShouldBe(TaskStates.Running);
        }

        claimed.ShouldBe([2, 2, 2]); // 1000 + 700, and the next would be more than 2000
        foreach (var task in tasks)
            (await Database.GetAsync(task.CorrelationId)).Attempt.ShouldBe(1);
    }

    [Fact]
    public async Task A_claim_takes_a_task_over_the_byte_limit_alone()
    {
        var tasks = Enumerable.Range(0, 2).Select(_ => New("q", t => t.Payload = Text(100_000))).ToList();
        await Store.InsertAsync([.. tasks.Select(t => new NewTask(t))]);

        var claimed = await Store.ClaimAsync(Request(10, "q") with { MaxBytes = 1000 }, ClaimRules.None, Later);

        claimed.ShouldHaveSingleItem().CorrelationId.ShouldBe(tasks[0].CorrelationId);
        claimed[0].Payload.Length.ShouldBe(100_000);
        (await Database.GetAsync(tasks[1].CorrelationId)).Attempt.ShouldBe(0);
    }

    [Theory]
    [InlineData(OverwriteFields.ScheduledAt, 1000)]
    [InlineData(OverwriteFields.Payload, 50)]
    public async Task A_duplicate_reads_no_payload_and_overwrites_only_what_it_says(OverwriteFields overwrite, int expected)
    {
        TaskState Keyed(int length) =>
            New("q", t => (t.DedupeKey, t.Payload, t.Headers, t.DueAt) = ("k", Text(length), "{}", T0.AddDays(1)));
        var holder = Keyed(1000);
        await Store.InsertAsync([new NewTask(holder)]);
        var duplicate = Keyed(50);
        (duplicate.DueAt, duplicate.Name) = (T0.AddSeconds(30), "other ");

        var answer = (await Store.InsertAsync([new NewTask(duplicate, overwrite)]))!.ShouldHaveSingleItem();

        (answer.Id, answer.Result).ShouldBe((holder.CorrelationId, SubmitStatus.Overwritten));
        answer.Task!.Payload.Length.ShouldBe(overwrite == OverwriteFields.Payload ? 50 : 0);
        var stored = await Database.GetAsync(holder.CorrelationId);
        (stored.Payload.Length, stored.Headers).ShouldBe((expected, "{}"));
        stored.DueAt.ShouldBe(overwrite == OverwriteFields.Payload ? holder.DueAt : duplicate.DueAt);
        await using var session = await Store.BeginAsync();
        var waiting = (await session.LoadAsync([holder.CorrelationId]))[holder.CorrelationId];
        waiting.Octets.ShouldBe(expected + 2);
        var name = overwrite == OverwriteFields.Payload ? duplicate.Name : holder.Name; // of the payload
        (stored.Name, waiting.Name).ShouldBe((name, name));
    }

    [Theory]
    [InlineData(OverwriteFields.ScheduledAt, "[1]")]
    [InlineData(OverwriteFields.Payload, null)]
    public async Task The_progress_of_an_attempt_ends_with_the_payload_that_it_belongs_to(OverwriteFields overwrite, string? expected)
    {
        var failed = New("q", t => (t.State, t.Attempt, t.DedupeKey, t.Progress) = (TaskStates.Retrying, 1, "k", "[1]"));
        await Store.InsertAsync([new NewTask(failed)]);

        await Store.InsertAsync([new NewTask(New("q", t => (t.DedupeKey, t.Payload) = ("k", "[2]")), overwrite)]);

        var claimed = (await Store.ClaimAsync(Request(1, "q"), ClaimRules.None, Later)).ShouldHaveSingleItem();
        (claimed.CorrelationId, claimed.Progress).ShouldBe((failed.CorrelationId, expected));
    }

    [Fact]
    public async Task A_task_allowed_by_the_rate_limit_but_too_large_takes_no_token()
    {
        await fixture.Engine.Services.GetRequiredService<IQueueStore>().ApplyLimitsAsync("limited");
        await Store.InsertAsync([.. Enumerable.Range(0, 6).Select(_ => New("limited", t => t.Payload = Text(700)))
            .Select(t => new NewTask(t))]);
        var rules = new ClaimRules([new QueueLimit("limited", 0, new RateLimit(5, 86_400_000))], []);
        var request = Request(100, "limited") with { MaxBytes = 1500 };

        var claimed = new List<int>();
        while (await Store.ClaimAsync(request, rules, Later) is { Count: > 0 } some)
            claimed.Add(some.Count);

        claimed.ShouldBe([2, 2, 1], "five tokens are five tasks");
    }

    [Fact]
    public async Task Combined_claims_are_bounded_together()
    {
        await fixture.Engine.Services.GetRequiredService<IQueueStore>().ApplyLimitsAsync("limited");
        await Store.InsertAsync([.. Enumerable.Range(0, 6).Select(_ => New("limited", t => t.Payload = Text(700)))
            .Select(t => new NewTask(t))]);
        ClaimRequest[] requests = [Request(2, "limited") with { MaxBytes = 2200 }, Request(2, "limited"), Request(2, "limited")];

        var claimed = await Store.ClaimTogetherAsync(requests, new ClaimRules([new QueueLimit("limited", 100, null)], []), Later);

        claimed.Select(c => c.Count).ShouldBe([2, 1, 0]);
    }

    [Fact]
    public async Task Dispatch_reads_end_at_a_byte_limit_and_continue_after_the_last_task()
    {
        var tasks = Enumerable.Range(0, 5).Select(_ => New("q", t => t.Payload = Text(700))).OrderBy(t => t.CorrelationId).ToList();
        await Store.InsertAsync([.. tasks.Select(t => new NewTask(t))]);
        Guid[] ids = [.. tasks.Select(t => t.CorrelationId)];

        var first = await Store.ReadForDispatchAsync(ids, 1500);
        var rest = await Store.ReadForDispatchAsync(ids[2..], int.MaxValue);

        first.Select(t => t.CorrelationId).ShouldBe(ids[..2]);
        rest.Select(t => t.CorrelationId).ShouldBe(ids[2..]);
        (await Store.ReadForDispatchAsync(ids[2..], 1)).ShouldHaveSingleItem().CorrelationId.ShouldBe(ids[2]);
    }

    [Fact]
    public async Task A_read_of_events_is_bounded_by_their_errors_and_the_next_ones_follow()
    {
        const int rows = 6;
        var events = Enumerable.Range(0, rows * OutboxRows.MaxEvents).Select(n => new TaskEvent
        {
            TaskId = Guid.NewGuid(), Type = TaskEventType.Failed, Queue = "q", Attempt = 1, At = T0,
            Error = new string('x', TaskEvent.MaxError),
        }).ToList();
        await using (var context = Database.CreateContext())
        {
            context.Outbox.AddRange(OutboxRows.Pack(events));
            await context.SaveChangesAsync();
        }

        var cursors = new long[TaskEvent.Partitions];
        var read = new List<Guid>();
        while (await FollowAsync(cursors, max: 100_000) is { Count: > 0 } page)
        {
            page.Count.ShouldBeLessThan(events.Count);
            page.ShouldAllBe(e => e.Error!.Length == TaskEvent.MaxError);
            read.AddRange(page.Select(e => e.TaskId));
        }

        read.ShouldBe(events.Select(e => e.TaskId));
    }

    private static string Text(int length) => $"\"{new string('x', length - 2)}\"";
}
