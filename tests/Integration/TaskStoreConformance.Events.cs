using Shouldly;
using TaskQueue.Engine.Tasks;
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
        var cursors = new long[TaskEvent.Streams];

        var events = await Store.ReadEventsAsync(cursors, 1000);

        events.Count.ShouldBe(40);
        events.Select(e => e.Id).ShouldBeInOrder();
        foreach (var e in events.Take(25))
            cursors[e.Stream] = e.Id;
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
        var cursors = new long[TaskEvent.Streams];

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
        var cursors = new long[TaskEvent.Streams];
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
        var cursors = await Store.LoadCursorsAsync();
        cursors.Length.ShouldBe(TaskEvent.Streams);
        var e = (await Store.ReadEventsAsync(new long[TaskEvent.Streams], 10)).ShouldHaveSingleItem();
        var older = cursors.ToArray();
        cursors[e.Stream] = e.Id;

        await Store.SaveCursorsAsync(cursors);
        await Store.SaveCursorsAsync(older);

        (await Store.LoadCursorsAsync()).ShouldBe(cursors);
        (await Store.ReadEventsAsync(cursors, 10)).ShouldBeEmpty();
    }

    /// <summary>Reads on, like the outbox dispatcher.</summary>
    private async Task<IReadOnlyList<TaskEvent>> FollowAsync(long[] cursors, int max)
    {
        var events = await Store.ReadEventsAsync(cursors, max);
        foreach (var e in events)
            cursors[e.Stream] = e.Id;
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
