using Shouldly;
using TaskQueue.Engine.Failures;
using Xunit;

namespace TaskQueue.Tests.Unit;

public sealed class FailureTests
{
    [Theory]
    [InlineData("broken", "broken")]
    [InlineData("row 17 of 12,000 failed", "row <n> of <n> failed")]
    [InlineData("task 01a20143-9cd1-4000-b914-6cd1c8630a23 is gone", "task <id> is gone")]
    [InlineData("no user 'Ann Smith' in \"sales\"", "no user <text> in <text>")]
    [InlineData("can't open it, won't try", "can't open it, won't try")]
    [InlineData("at 0x7ffe12 in deadbeef01", "at <hex> in <hex>")]
    [InlineData("cannot read /var/lib/data/x.csv now", "cannot read <path> now")]
    [InlineData(@"cannot read C:\data\x.csv", "cannot read <path>")]
    [InlineData("GET https://example.org/a?b=1 failed", "GET <url> failed")]
    [InlineData("no mailbox for ann@example.org", "no mailbox for <email>")]
    [InlineData("2026-03-01T10:00:00 late", "<n>-<n>-<n>T<n> late")]
    [InlineData("  several\n\tlines  ", "several lines")]
    [InlineData("decode and/or facade", "decode and/or facade")]
    public void What_differs_between_failures_with_the_same_cause_is_replaced(string error, string message) =>
        FailureFingerprint.Normalise(error).ShouldBe(message);

    [Fact]
    public void A_long_or_hostile_error_is_normalised_in_time_and_cut()
    {
        FailureFingerprint.Normalise(new string('x', 1_000_000)).Length.ShouldBe(FailureFingerprint.MaxMessage);
        foreach (var unit in new[] { "a@", "'", "\"", "/a", "\\", "a.", "0", "f", "a:", "http://", " " })
        {
            var text = string.Concat(Enumerable.Repeat(unit, 2000));
            FailureFingerprint.Normalise(text).Length.ShouldBeLessThanOrEqualTo(FailureFingerprint.MaxMessage);
        }
    }

    [Fact]
    public void Groups_are_told_apart_by_owner_queue_name_type_and_kind()
    {
        var key = new FailureKey(FailureKind.Error, "ann", "q", "a", "T", "m");
        FailureKey[] others = [key with { Kind = FailureKind.Crash }, key with { Owner = null }, key with { Owner = "ben" },
            key with { Queue = "r" }, key with { Name = null }, key with { ErrorType = null }, key with { Message = "n" }];

        others.Append(key).Select(FailureFingerprint.IdOf).ShouldBeUnique();
        FailureFingerprint.IdOf(key with { }).ShouldBe(FailureFingerprint.IdOf(key));
    }

    [Fact]
    public void Counts_in_memory_are_bounded_and_nothing_is_left_out()
    {
        var counts = new FailureCounts();
        for (var i = 0; i < 10_000; i++)
            counts.Add(Failure($"tenant {i % 3}", $"q{i}", stack: new string('x', 16_000)));

        var groups = counts.Take();
        groups.Sum(g => g.Count).ShouldBe(10_000);
        groups.Count.ShouldBeLessThanOrEqualTo(3 * (FailureCounts.MaxGroupsOfOwner + 1));
        groups.Count(g => g.Key.Message == FailureKey.OtherMessage).ShouldBe(3);
        groups.Sum(g => g.Samples.Sum(s => s.Stack!.Length)).ShouldBeLessThan(2 * 1024 * 1024);
        counts.Take().ShouldBeEmpty();

        counts.PutBack(groups);
        counts.Add(Failure("tenant 0", "q0"));
        counts.Take().Sum(g => g.Count).ShouldBe(10_001);

        for (var i = 0; i < 10_000; i++)
            counts.Add(Failure($"tenant {i}", "q"));
        groups = counts.Take();
        groups.Sum(g => g.Count).ShouldBe(10_000);
        groups.Count.ShouldBeLessThanOrEqualTo((2 * FailureCounts.MaxGroups) + 1);
    }

    [Fact]
    public void Of_a_group_the_newest_failures_are_kept()
    {
        var counts = new FailureCounts();
        for (var i = 1; i <= 8; i++)
            counts.Add(Failure("ann", "q", attempt: i));

        var group = counts.Take().ShouldHaveSingleItem();
        group.Samples.Select(s => s.Attempt).ShouldBe([4, 5, 6, 7, 8]);
        (group.FirstSeenAt.Minute, group.LastSeenAt.Minute).ShouldBe((1, 8));
    }

    [Fact]
    public void Failures_that_wait_to_be_grouped_are_bounded_and_the_others_are_counted_together()
    {
        var counts = new FailureCounts();
        for (var i = 0; i < FailureCounts.MaxWaiting + 7; i++)
            counts.Add(Failure("ann", "q"));
        counts.Add(Failure("ben", "q"));

        counts.Take().Select(g => (g.Key.Owner, g.Key.Message, g.Count)).ShouldBe(
            [("ann", "broken", FailureCounts.MaxWaiting), ("ann", FailureKey.OtherMessage, 7), ("ben", FailureKey.OtherMessage, 1)],
            ignoreOrder: true);
        counts.Add(Failure("ann", "q"));
        counts.Take().ShouldHaveSingleItem().Key.Message.ShouldBe("broken");
    }

    private static Failure Failure(string owner, string queue, int attempt = 1, string? stack = null) =>
        new(owner, queue, "a", FailureKind.Error, null, new FailureSample
        {
            TaskId = Guid.NewGuid(), Attempt = attempt, At = new DateTime(2031, 1, 1, 0, attempt, 0, DateTimeKind.Utc), Error = "broken",
            Stack = stack,
        });
}
