using Microsoft.Extensions.Time.Testing;
using Shouldly;
using TaskQueue.Contracts;
using Xunit;

namespace TaskQueue.Tests.Unit;

public sealed class TaskIdTests
{
    [Fact]
    public void An_id_is_a_version_4_uuid_that_starts_with_the_milliseconds()
    {
        var now = new DateTimeOffset(2101, 1, 1, 0, 0, 0, TimeSpan.Zero);

        var bytes = TaskId.New(new FakeTimeProvider(now)).ToByteArray(bigEndian: true);

        (bytes[6] >> 4).ShouldBe(4);
        (bytes[8] >> 6).ShouldBe(0b10);
        var milliseconds = bytes[..6].Aggregate(0L, (sum, b) => (sum << 8) | b);
        milliseconds.ShouldBeInRange(now.ToUnixTimeMilliseconds(),
            now.ToUnixTimeMilliseconds() + 60_000); // 4,096 of them are of one millisecond
    }

    [Fact]
    public void Ids_increase_strictly_as_text_and_as_bytes()
    {
        var ids = Enumerable.Range(0, 20_000).Select(_ => TaskId.New(TimeProvider.System)).ToList();

        var text = ids.Select(id => id.ToString()).ToList();
        var bytes = ids.Select(id => Convert.ToHexString(id.ToByteArray(bigEndian: true))).ToList();

        for (var i = 1; i < ids.Count; i++)
        {
            string.CompareOrdinal(text[i - 1], text[i]).ShouldBeLessThan(0);
            string.CompareOrdinal(bytes[i - 1], bytes[i]).ShouldBeLessThan(0);
            ids[i - 1].CompareTo(ids[i]).ShouldBeLessThan(0);
        }
    }

    [Fact]
    public void Ids_increase_when_the_clock_stands_still_or_goes_back()
    {
        var clock = new SteppedClock();
        var first = TaskId.New(clock);
        TaskId.New(clock).CompareTo(first).ShouldBeGreaterThan(0);

        clock.Now = clock.Now.AddDays(-1);
        TaskId.New(clock).CompareTo(first).ShouldBeGreaterThan(0);
    }

    [Fact]
    public void A_clock_that_is_ahead_does_not_take_the_ids_of_others_with_it()
    {
        var ahead = TaskId.New(new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(200)));

        TaskId.New(new SteppedClock()).CompareTo(ahead).ShouldBeLessThan(0);
    }

    [Fact]
    public void Ids_of_many_threads_are_unique()
    {
        var ids = new Guid[8][];

        Parallel.For(0, ids.Length, new ParallelOptions { MaxDegreeOfParallelism = ids.Length },
            i => ids[i] = [.. Enumerable.Range(0, 10_000).Select(_ => TaskId.New(TimeProvider.System))]);

        // Not by their random half alone: the first half is unique too.
        ids.SelectMany(x => x).Select(id => id.ToString()[..18]).Distinct().Count().ShouldBe(80_000);
    }

    /// <summary>It may go back.</summary>
    private sealed class SteppedClock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = DateTimeOffset.UnixEpoch.AddYears(60);

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
