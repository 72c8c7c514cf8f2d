using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using Xunit;

namespace TaskQueue.Tests.Unit;

public sealed class EventReaderTests
{
    [Fact]
    public void A_read_without_a_full_partition_is_complete() =>
        Complete(max: 3, (0, 1), (0, 2), (1, 3), (1, 9)).ShouldBe([1, 2, 3, 9]);

    [Fact]
    public void Events_after_the_end_of_a_full_partition_wait() =>
        Complete(max: 2, (0, 1), (1, 2), (0, 4), (1, 5), (2, 6)).ShouldBe([1, 2, 4]);

    [Fact]
    public void The_full_partition_that_ends_first_decides() =>
        Complete(max: 2, (0, 1), (0, 2), (1, 3), (1, 4)).ShouldBe([1, 2]);

    [Fact]
    public void Nothing_read_is_complete() => Complete(max: 2).ShouldBeEmpty();

    private static List<long> Complete(int max, params (int Stream, long Id)[] events) =>
        [.. EventReader.Complete([.. events.Select(e => new TaskEvent { Stream = e.Stream, Id = e.Id })], max).Select(e => e.Id)];
}
