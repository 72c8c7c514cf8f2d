using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

public abstract partial class TaskStoreConformance
{
    [Fact]
    public async Task Events_after_the_cursors_are_read_in_id_order()
    {
        for (var i = 0; i < 40; i++)
            await Store.InsertAsync([New()]);
        var cursors = new long[TaskEvent.Partitions];

        var events = await Store.ReadEventsAsync(cursors, 1000);

        events.Count.ShouldBe(40);
        events.Select(e => e.Id).ShouldBeInOrder();
        foreach (var e in events.Take(25))
            cursors[e.Partition] = e.Id;
        (await Store.ReadEventsAsync(cursors, 1000)).Select(e => e.Id).ShouldBe(events.Skip(25).Select(e => e.Id));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Small_reads_skip_and_repeat_nothing(int max)
    {
        var tasks = Enumerable.Range(0, 60).Select(_ => New()).ToList();
        foreach (var chunk in tasks.Chunk(4))
            await Store.InsertAsync(chunk);
        await Store.ClaimAsync(Request(30, "q"), Later);
        var cursors = new long[TaskEvent.Partitions];

        var all = new List<TaskEvent>();
        while (await FollowAsync(cursors, max) is { Count: > 0 } events)
            all.AddRange(events);

        all.Count.ShouldBe(90);
        all.Select(e => e.Id).ShouldBeInOrder(SortDirection.Ascending);
        all.Select(e => e.Id).ShouldBeUnique();
    }

    [Fact]
    public async Task A_reader_beside_many_writers_sees_every_event_once_and_those_of_a_task_in_order()
    {
        const int writers = 8, tasks = 60;
        var cursors = new long[TaskEvent.Partitions];
        var seen = new List<TaskEvent>();

        var writing = Task.WhenAll(Enumerable.Range(0, writers).Select(w => Task.Run(() => WriteAsync($"w{w}", tasks))));
        IReadOnlyList<TaskEvent> events;
        bool last; // queried before the read: it contains everything written by then
        do
        {
            last = writing.IsCompleted;
            events = await FollowAsync(cursors, max: 50);
            seen.AddRange(events);
        }
        while (!last || events.Count > 0);

        await writing;
        seen.Select(e => e.Id).ShouldBeUnique();
        seen.Count.ShouldBe(writers * tasks * 3);
        foreach (var task in seen.GroupBy(e => e.TaskId))
            task.Select(e => e.Type).ShouldBe([TaskEventType.Submitted, TaskEventType.Started, TaskEventType.Completed]);
    }

    [Fact]
    public async Task Cursors_are_stored_and_never_go_back()
    {
        await Store.InsertAsync([New()]);
        var cursors = await Store.LoadOffsetsAsync();
        cursors.Length.ShouldBe(TaskEvent.Partitions);
        var e = (await Store.ReadEventsAsync(new long[TaskEvent.Partitions], 10)).ShouldHaveSingleItem();
        var older = cursors.ToArray();
        cursors[e.Partition] = e.Id;

        await Store.SaveOffsetsAsync(cursors);
        await Store.SaveOffsetsAsync(older);

        (await Store.LoadOffsetsAsync()).ShouldBe(cursors);
        (await Store.ReadEventsAsync(cursors, 10)).ShouldBeEmpty();
    }

    [Fact]
    public async Task An_offset_behind_the_last_row_is_not_stored()
    {
        await Store.InsertAsync([New()]);
        var e = (await Store.ReadEventsAsync(new long[TaskEvent.Partitions], 10)).ShouldHaveSingleItem();
        var before = await Store.LoadOffsetsAsync();
        var ahead = before.ToArray();
        ahead[e.Partition] = OutboxRows.Behind(OutboxRows.RowOf(e.Id) + 100); // of a history that a failover has cut off

        await Store.SaveOffsetsAsync(ahead);

        (await Store.LoadOffsetsAsync()).ShouldBe(before);
    }

    [Fact]
    public async Task A_reader_continues_behind_any_event_and_a_stored_cursor_skips_none()
    {
        await Store.InsertAsync([.. Enumerable.Range(0, 5).Select(_ => New())]);
        var events = await Store.ReadEventsAsync(new long[TaskEvent.Partitions], 1000);
        var cursors = new long[TaskEvent.Partitions];
        cursors[events[1].Partition] = events[1].Id;

        (await Store.ReadEventsAsync(cursors, 1000)).Select(e => e.TaskId).ShouldBe(events.Skip(2).Select(e => e.TaskId));
        await Store.SaveOffsetsAsync(cursors);

        (await Store.ReadEventsAsync(await Store.LoadOffsetsAsync(), 1000)).Select(e => e.TaskId).TakeLast(3)
            .ShouldBe(events.Skip(2).Select(e => e.TaskId));
    }

    [Fact]
    public async Task Only_published_events_are_removed_and_only_old_ones()
    {
        var (old, young, unpublished) = (Enumerable.Range(0, 5).Select(_ => New()).ToList(), New(), New());
        young.CreatedAt = T0.AddHours(1);
        foreach (var task in old.Append(young))
            await Store.InsertAsync([task]);
        await Store.SaveOffsetsAsync(await Store.EndOfEventsAsync());
        await Store.InsertAsync([unpublished]);

        (await Store.RemovePublishedAsync(T0, 100)).ShouldBe(0, "none is older");
        (await Store.RemovePublishedAsync(T0.AddMinutes(1), 2)).ShouldBe(2);
        (await Store.RemovePublishedAsync(T0.AddMinutes(1), 100)).ShouldBe(3);
        (await Store.RemovePublishedAsync(T0.AddMinutes(1), 100)).ShouldBe(0);

        await using var context = Database.CreateContext();
        (await context.EventsAsync()).Select(e => e.TaskId).ShouldBe([young.CorrelationId, unpublished.CorrelationId]);
        (await Store.ReadEventsAsync(await Store.LoadOffsetsAsync(), 100)).ShouldHaveSingleItem().TaskId
            .ShouldBe(unpublished.CorrelationId);
        foreach (var task in old)
            (await Database.GetAsync(task.CorrelationId)).State.ShouldBe(TaskStates.Pending);
    }

    [Fact]
    public async Task The_end_of_the_log_is_known_when_all_events_are_removed()
    {
        await Store.InsertAsync([New()]);
        var end = await Store.EndOfEventsAsync();
        await Store.SaveOffsetsAsync(end);
        (await Store.RemovePublishedAsync(T0.AddDays(1), 100)).ShouldBe(1);

        (await Store.EndOfEventsAsync()).ShouldBe(end);
    }

    /// <summary>Reads on, like the outbox dispatcher.</summary>
    private async Task<IReadOnlyList<TaskEvent>> FollowAsync(long[] cursors, int max)
    {
        var events = await Store.ReadEventsAsync(cursors, max);
        foreach (var e in events)
            cursors[e.Partition] = e.Id;
        return events;
    }

    /// <summary>Submits tasks, some in bulk, claims some and starts the others, completes all.</summary>
    private async Task WriteAsync(string queue, int count)
    {
        var bulk = Enumerable.Range(0, count / 2).Select(_ => New(queue)).ToList();
        foreach (var chunk in bulk.Chunk(5))
            await Store.InsertAsync(chunk);
        foreach (var task in await Store.ClaimAsync(Request(count, queue), Later))
            (await SendAsync(new CompleteTask(task.CorrelationId, Later, 1, null, "1"))).ShouldBe(CommandResult.Applied);
        for (var i = bulk.Count; i < count; i++)
        {
            var task = New(queue, t => t.State = 0);
            var results = await Task.WhenAll(
                SendAsync(new SubmitTask(task)),
                SendAsync(new StartTask(task.CorrelationId, Later, 1, "w", 1000)),
                SendAsync(new CompleteTask(task.CorrelationId, Later, 1, "w", "1")));
            results.ShouldAllBe(v => v == CommandResult.Applied);
        }
    }

    private Task<CommandResult> SendAsync(TaskCommand command) => fixture.Engine.SendAsync(command);
}
