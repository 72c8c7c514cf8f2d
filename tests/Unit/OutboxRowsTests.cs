using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Events as they are packed into rows of the outbox and read from them.</summary>
public sealed class OutboxRowsTests
{
    private static readonly Guid A = Guid.NewGuid(), B = Guid.NewGuid(), C = Guid.NewGuid();

    [Fact]
    public void Events_of_a_kind_share_a_row()
    {
        var row = OutboxRows.Pack(
        [
            Event(A, TaskEventType.Retrying, e => (e.Attempt, e.Error, e.At) = (1, "one", TestTasks.T0.AddSeconds(2))),
            Event(B, TaskEventType.Retrying, e => (e.Attempt, e.DueAt) = (2, TestTasks.T0.AddSeconds(9))),
        ]).ShouldHaveSingleItem();

        (row.Type, row.Queue, row.Tier, row.Worker, row.Dispatch, row.ReleasesCapacity)
            .ShouldBe((TaskEventType.Retrying, "q", 1, "w", false, false));
        row.At.ShouldBe(TestTasks.T0.AddSeconds(2), "when the last of them happened");
        row.Ids.ShouldBe([A, B]);
        row.Attempts.ShouldBe([1, 2]);
        row.Errors.ShouldBe(["one", null]);
        row.DueTimes.ShouldBe([null, TestTasks.T0.AddSeconds(9)]);
    }

    [Fact]
    public void Only_the_beginning_of_an_error_is_stored()
    {
        var row = OutboxRows.Pack(
        [
            Event(A, change: e => e.Error = new string('x', TaskEvent.MaxError - 1) + "😀"), Event(B, change: e => e.Error = "short"),
        ]).ShouldHaveSingleItem();

        row.Errors.ShouldBe([new string('x', TaskEvent.MaxError - 1), "short"]);
    }

    [Fact]
    public void A_read_ends_at_a_number_of_characters_of_errors_with_a_whole_row_and_skips_none_of_an_earlier_one()
    {
        var offsets = new long[TaskEvent.Partitions];
        var page = new OutboxPage(offsets, max: 100_000);
        var rows = 0;
        for (; !page.IsFull; rows++)
            page.Add(RowOf(rows));

        rows.ShouldBe(1 + (OutboxPage.MaxChars / (TaskEvent.MaxError * OutboxRows.MaxEvents)));
        page.Events().Count.ShouldBe(rows * OutboxRows.MaxEvents);

        var smaller = new OutboxPage(offsets, max: OutboxRows.MaxEvents);
        for (rows = 0; !smaller.IsFull; rows++)
            smaller.Add(RowOf(rows));
        smaller.Events().Select(e => OutboxRows.RowOf(e.Id)).Distinct().ShouldBe([1, 2], "partition 1 may have more before the third row");

        static OutboxRow RowOf(int n)
        {
            var row = OutboxRows.Pack(Enumerable.Range(0, OutboxRows.MaxEvents)
                .Select(_ => Event(Guid.NewGuid(), change: e => e.Error = new string('x', TaskEvent.MaxError)))).ShouldHaveSingleItem();
            (row.Id, row.Partition) = (n + 1, n % 2);
            return row;
        }
    }

    [Fact]
    public void Lists_without_a_value_are_not_stored()
    {
        var row = OutboxRows.Pack([Event(A), Event(B)]).ShouldHaveSingleItem();

        row.Errors.ShouldBeNull();
        row.DueTimes.ShouldBeNull();
    }

    [Fact]
    public void Events_that_differ_in_a_column_of_the_row_do_not_share_it() =>
        OutboxRows.Pack(
        [
            Event(A), Event(B, TaskEventType.Completed), Event(A, change: e => e.Queue = "r"), Event(B, change: e => e.Tier = 2),
            Event(A, change: e => e.Worker = null), Event(B, change: e => e.Dispatch = true),
            Event(A, change: e => e.ReleasesCapacity = true),
        ]).Count.ShouldBe(7);

    [Fact]
    public void Only_written_events_are_packed()
    {
        var rows = OutboxRows.Pack([Event(A), Event(B, change: e => e.IsWritten = false), Event(C, change: e => e.IsWritten = false)]);

        rows.ShouldHaveSingleItem().Ids.ShouldBe([A]);
        OutboxRows.Pack([Event(B, change: e => e.IsWritten = false)]).ShouldBeEmpty();
    }

    [Fact]
    public void A_row_has_a_bounded_number_of_events()
    {
        var ids = Enumerable.Range(0, (2 * OutboxRows.MaxEvents) + 1).Select(_ => Guid.NewGuid()).ToList();

        var rows = OutboxRows.Pack(ids.Select(id => Event(id)));

        rows.Select(r => r.Ids.Length).ShouldBe([OutboxRows.MaxEvents, OutboxRows.MaxEvents, 1]);
        rows.SelectMany(r => r.Ids).ShouldBe(ids);
    }

    [Fact]
    public void The_events_of_a_task_keep_their_order()
    {
        // B completes first, so the row of completions stands before the start of A; A must not complete in it.
        var events = new[]
        {
            Event(B, TaskEventType.Completed), Event(A), Event(A, TaskEventType.Completed), Event(C, TaskEventType.Completed),
        };

        Types(Read(OutboxRows.Pack(events)), A).ShouldBe([TaskEventType.Started, TaskEventType.Completed]);
    }

    [Fact]
    public void The_events_of_each_task_keep_their_order_whatever_they_are()
    {
        for (var seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            Guid[] ids = [A, B, C];
            var events = Enumerable.Range(0, 40).Select(n => Event(
                ids[random.Next(3)], (TaskEventType)random.Next(1, 4), e => e.Attempt = n)).ToList();

            var read = Read(OutboxRows.Pack(events));

            read.Count.ShouldBe(events.Count);
            foreach (var id in ids)
                read.Where(e => e.TaskId == id).Select(e => (e.Type, e.Attempt))
                    .ShouldBe(events.Where(e => e.TaskId == id).Select(e => (e.Type, e.Attempt)), $"seed {seed}");
        }
    }

    [Fact]
    public void A_row_is_unpacked_into_the_events_that_were_packed()
    {
        var packed = new[]
        {
            Event(A, TaskEventType.Failed, e => (e.Attempt, e.Error, e.ReleasesCapacity) = (1, "one", true)),
            Event(B, TaskEventType.Failed, e => (e.Attempt, e.DueAt, e.ReleasesCapacity) = (2, TestTasks.T0, true)),
        };
        var row = OutboxRows.Pack(packed).ShouldHaveSingleItem();
        (row.Partition, row.Id) = (5, 7);

        var events = OutboxRows.Unpack(row).ToList();

        events.Select(Text).ShouldBe(packed.Select(Text));
        events.ShouldAllBe(e => e.Partition == 5 && OutboxRows.RowOf(e.Id) == 7);

        static string Text(TaskEvent e) => $"{e.TaskId} {e.Type} {e.Queue}:{e.Tier} {e.Attempt} {e.Worker} {e.Error} {e.At:O} {e.DueAt:O} "
            + $"{e.Dispatch} {e.ReleasesCapacity}";
    }

    [Fact]
    public void Ids_ascend_over_rows_and_places()
    {
        var ids = new[] { Row(1, events: 3), Row(2, events: 1), Row(3, OutboxRows.MaxEvents) }.SelectMany(r => OutboxRows.Unpack(r))
            .Select(e => e.Id).ToList();

        ids.ShouldBe(ids.Order());
        ids.ShouldBeUnique();
    }

    [Fact]
    public void Reading_continues_behind_any_event()
    {
        var row = Row(9, events: 5);
        var events = OutboxRows.Unpack(row).ToList();
        OutboxRows.Unpack(row, OutboxRows.Behind(8)).Count().ShouldBe(5);

        for (var i = 0; i < events.Count; i++)
        {
            OutboxRows.Unpack(row, events[i].Id).Select(e => e.Id).ShouldBe(events.Skip(i + 1).Select(e => e.Id));
            OutboxRows.RowsRead(events[i].Id).ShouldBe(i == events.Count - 1 ? 9 : 8, "the rest of the row must be read again");
        }

        OutboxRows.Behind(9).ShouldBe(events[^1].Id);
    }

    [Fact]
    public void An_offset_behind_a_row_is_that_row()
    {
        foreach (var row in new long[] { 1, 2, 4095, 4096, 1_000_000_000_000 })
            OutboxRows.RowsRead(OutboxRows.Behind(row)).ShouldBe(row);
        OutboxRows.RowsRead([OutboxRows.Behind(3), OutboxRows.Behind(7)]).ShouldBe([3, 7]);
        OutboxRows.Behind(0).ShouldBe(0, "nothing is read yet");
        OutboxRows.RowsRead(0).ShouldBeLessThan(1, "ids begin with 1");
    }

    [Fact]
    public void A_read_without_a_full_partition_is_complete() =>
        Complete(max: 3, (0, 1), (0, 2), (1, 3), (1, 9)).ShouldBe([1, 2, 3, 9]);

    [Fact]
    public void Rows_after_the_end_of_a_full_partition_wait() =>
        Complete(max: 2, (0, 1), (1, 2), (0, 4), (1, 5), (2, 6)).ShouldBe([1, 2, 4]);

    [Fact]
    public void The_full_partition_that_ends_first_decides() =>
        Complete(max: 2, (0, 1), (0, 2), (1, 3), (1, 4)).ShouldBe([1, 2]);

    [Fact]
    public void The_row_that_fills_a_partition_is_read_whole()
    {
        OutboxRow[] rows = [Row(1, events: 2), Row(2, events: 5), Row(3, events: 1, partition: 1)];

        OutboxRows.Complete([.. rows], new long[TaskEvent.Partitions], max: 3).Select(e => OutboxRows.RowOf(e.Id))
            .ShouldBe([1, 1, 2, 2, 2, 2, 2]);
    }

    [Fact]
    public void Events_before_the_offset_of_their_partition_are_left_out()
    {
        var offsets = new long[TaskEvent.Partitions];
        OutboxRow[] rows = [Row(1, events: 3), Row(2, events: 2, partition: 1)];
        offsets[0] = OutboxRows.Unpack(rows[0]).First().Id;

        OutboxRows.Complete([.. rows], offsets, max: 10).Select(e => e.TaskId).ShouldBe([.. rows[0].Ids[1..], .. rows[1].Ids]);
    }

    [Fact]
    public void Nothing_read_is_complete() => Complete(max: 2).ShouldBeEmpty();

    /// <summary>Ids of rows with one event each.</summary>
    private static List<long> Complete(int max, params (int Partition, long Id)[] rows) =>
        [.. OutboxRows.Complete([.. rows.Select(r => Row(r.Id, 1, r.Partition))], new long[TaskEvent.Partitions], max)
            .Select(e => OutboxRows.RowOf(e.Id))];

    /// <summary>As if the rows had been inserted in their order.</summary>
    private static List<TaskEvent> Read(List<OutboxRow> rows)
    {
        for (var i = 0; i < rows.Count; i++)
            rows[i].Id = i + 1;
        return [.. rows.SelectMany(row => OutboxRows.Unpack(row)).OrderBy(e => e.Id)];
    }

    private static IEnumerable<TaskEventType> Types(IEnumerable<TaskEvent> events, Guid id) =>
        events.Where(e => e.TaskId == id).Select(e => e.Type);

    private static OutboxRow Row(long id, int events, int partition = 0)
    {
        var row = OutboxRows.Pack(Enumerable.Range(0, events).Select(_ => Event(Guid.NewGuid()))).Single();
        (row.Id, row.Partition) = (id, partition);
        return row;
    }

    private static TaskEvent Event(Guid id, TaskEventType type = TaskEventType.Started, Action<TaskEvent>? change = null)
    {
        var e = new TaskEvent { TaskId = id, Type = type, Queue = "q", Tier = 1, Attempt = 1, Worker = "w", At = TestTasks.T0 };
        change?.Invoke(e);
        return e;
    }
}
