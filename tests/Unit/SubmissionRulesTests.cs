using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>What queue rules add to a submission; the rest is in <see cref="TaskRulesTests"/>.</summary>
public sealed class SubmissionRulesTests
{
    private const OverwriteFields All = OverwriteFields.Payload | OverwriteFields.ScheduledAt | OverwriteFields.ExpiresAt;

    private static readonly TaskSubmission Good = new(Guid.NewGuid(), "reports", "{}");
    private static readonly DateTime Due = new(2031, 2, 3, 4, 5, 6, DateTimeKind.Utc);

    [Fact]
    public void Keys_overwrites_and_leases_at_their_limits_are_accepted()
    {
        Check(Good with { DedupeKey = new string('ö', 256), Overwrite = All, OrderingKey = new string('t', 256) }).ShouldBeNull();
        Check(Good with { LeaseSeconds = 1 }).ShouldBeNull();
        Check(Good with { LeaseSeconds = 86_400, Retry = new RetryPolicy { Intervals = [] } }).ShouldBeNull();
    }

    [Fact]
    public void A_broken_rule_is_named()
    {
        Problem(Good with { DedupeKey = "" }).ShouldStartWith("dedupe_key and ordering_key must have");
        Problem(Good with { DedupeKey = new string('k', 257) }).ShouldStartWith("dedupe_key and ordering_key must have");
        Problem(Good with { OrderingKey = "" }).ShouldStartWith("dedupe_key and ordering_key must have");
        Problem(Good with { OrderingKey = new string('t', 257) }).ShouldStartWith("dedupe_key and ordering_key must have");
        Problem(Good with { Overwrite = OverwriteFields.Payload }).ShouldEndWith("needs a dedupe_key");
        Problem(Good with { DedupeKey = "k", Overwrite = (OverwriteFields)8 }).ShouldStartWith("overwrite names");
        Problem(Good with { LeaseSeconds = 0.999 }).ShouldStartWith("lease_seconds must be 1 to 86400");
        Problem(Good with { LeaseSeconds = 86_400.001 }).ShouldStartWith("lease_seconds must be");
        Problem(Good with { LeaseSeconds = double.NaN }).ShouldStartWith("lease_seconds must be");
        Problem(Good with { Retry = new RetryPolicy { Factor = 0 } }).ShouldStartWith("retry factor must be");
        Problem(Good with { DedupeKey = "\0" }).ShouldContain("U+0000");
        Problem(Good with { OrderingKey = "\0" }).ShouldContain("U+0000");
    }

    [Theory]
    [InlineData(null, null, null, null)]
    [InlineData(null, null, 5, 5)]
    [InlineData(60, null, null, 60)]
    [InlineData(60, null, 5, 5)]
    [InlineData(60, null, 61, 60)]
    [InlineData(60, null, -5, -5)] // in the past: accepted, and never delivered
    [InlineData(60, 90, 80, 80)]
    [InlineData(60, 90, null, 90)]
    [InlineData(null, 90, 100, 90)]
    public void An_expiry_is_as_requested_but_within_the_tiers_or_queues_maximum(int? queue, int? tier, int? asked, int? expected)
    {
        var settings = new QueueSettings
        {
            ExpireAfterMs = queue * 1000L,
            Tiers = new Dictionary<int, TierDefaults> { [1] = new() { ExpireAfterMs = tier * 1000L } },
        };

        SubmissionRules.Expiry(settings, 1, Due, After(asked)).ShouldBe(After(expected));
    }

    [Theory]
    [InlineData(-1, -1)]
    [InlineData(0, 0)]
    [InlineData(1, 0)]
    public void An_expiry_is_clamped_to_its_maximum(int microseconds, int kept)
    {
        var ceiling = Due.AddSeconds(60);

        SubmissionRules.Expiry(new QueueSettings { ExpireAfterMs = 60_000 }, 0, Due, ceiling.AddMicroseconds(microseconds))
            .ShouldBe(ceiling.AddMicroseconds(kept));
    }

    private static DateTime? After(int? seconds) => seconds is { } s ? Due.AddSeconds(s) : null;

    private static string? Check(TaskSubmission task) => SubmissionRules.Check(task, 1024);

    private static string Problem(TaskSubmission task) => Check(task).ShouldNotBeNull();
}
