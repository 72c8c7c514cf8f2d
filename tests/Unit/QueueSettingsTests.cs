using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Queues;
using Xunit;

namespace TaskQueue.Tests.Unit;

public sealed class QueueSettingsTests
{
    private const long TenYearsMs = 3650L * 24 * 3600 * 1000;

    [Fact]
    public void Settings_with_everything_at_its_limit_are_allowed()
    {
        var least = new QueueSettings
        {
            LeaseMs = 1000,
            ExpireAfterMs = 1000,
            MaxAttempts = 1,
            Rate = new RateLimit(1, 1),
            DeadLetters = new DeadLetterSettings(RetentionMs: 1000),
            KeepFinishedMs = 1000,
            Tiers = new Dictionary<int, TierDefaults> { [0] = new(), [QueueNames.MaxTier] = new() },
        };
        var most = new QueueSettings
        {
            Description = new string('ö', 1024),
            LeaseMs = 86_400_000,
            ExpireAfterMs = TenYearsMs,
            MaxAttempts = 100,
            MaxRunning = 1_000_000,
            Rate = new RateLimit(1_000_000, TenYearsMs),
            DeadLetters = new DeadLetterSettings(false, int.MaxValue, TenYearsMs),
            KeepFinishedMs = TenYearsMs,
            Events = EventPolicy.None,
            Tiers = Enumerable.Range(0, 1000).ToDictionary(l => l, _ => new TierDefaults()),
        };

        foreach (var settings in new[] { QueueSettings.Default, least, most })
            QueueRules.Check(settings, Delivery.Pull).ShouldBeNull();
        QueueRules.Check(most with { MaxRunning = 0, Rate = null }, Delivery.Push).ShouldBeNull();
    }

    [Fact]
    public void A_broken_rule_is_named_with_what_to_change()
    {
        Problem(new() { Description = new string('d', 1025) }).ShouldStartWith("description must have");
        Problem(new() { Description = "\0" }).ShouldContain("U+0000");
        Problem(new() { LeaseMs = 999 }).ShouldStartWith("lease_seconds must be 1 to 86400");
        Problem(new() { LeaseMs = 86_400_001 }).ShouldStartWith("lease_seconds must be");
        Problem(new() { ExpireAfterMs = 999 }).ShouldStartWith("expire_after_seconds must be 1 to");
        Problem(new() { ExpireAfterMs = TenYearsMs + 1 }).ShouldStartWith("expire_after_seconds must be");
        Problem(new() { MaxAttempts = 0 }).ShouldStartWith("max_attempts must be");
        Problem(new() { MaxAttempts = 101 }).ShouldStartWith("max_attempts must be");
        Problem(new() { Retry = new RetryPolicy { Jitter = 2 } }).ShouldStartWith("retry jitter must be");
        Problem(new() { MaxRunning = -1 }).ShouldStartWith("max_running must be 0");
        Problem(new() { MaxCrashes = -1 }).ShouldStartWith("max_crashes must be 0");
        Problem(new() { MaxCrashes = 101 }).ShouldStartWith("max_crashes must be 0");
        Problem(new() { MaxRunning = 1_000_001 }).ShouldStartWith("max_running must be");
        Problem(new() { Rate = new RateLimit(0, 1) }).ShouldStartWith("rate must have");
        Problem(new() { Rate = new RateLimit(1_000_001, 1) }).ShouldStartWith("rate must have");
        Problem(new() { Rate = new RateLimit(1, 0) }).ShouldStartWith("rate must have");
        Problem(new() { Rate = new RateLimit(1, TenYearsMs + 1) }).ShouldStartWith("rate must have");
        Problem(new() { DeadLetters = new DeadLetterSettings(MaxSize: -1) }).ShouldStartWith("dead_letters must have");
        Problem(new() { DeadLetters = new DeadLetterSettings(RetentionMs: 999) }).ShouldStartWith("dead_letters must have");
        Problem(new() { KeepFinishedMs = 999 }).ShouldStartWith("keep_finished_seconds must be");
        Problem(new() { Events = (EventPolicy)3 }).ShouldStartWith("events must be");
        Problem(new() { Tiers = new Dictionary<int, TierDefaults> { [-1] = new() } }).ShouldStartWith("tiers must be");
        Problem(new() { Tiers = new Dictionary<int, TierDefaults> { [QueueNames.MaxTier + 1] = new() } }).ShouldStartWith("tiers must be");
        Problem(new() { Tiers = new Dictionary<int, TierDefaults> { [0] = new(), [1] = new() { LeaseMs = 1 } } })
            .ShouldStartWith("lease_seconds must be");
    }

    [Fact]
    public void Limits_need_a_pull_queue()
    {
        QueueRules.Check(new QueueSettings { MaxRunning = 1 }, Delivery.Push).ShouldNotBeNull()
            .ShouldStartWith("max_running and rate need a pull queue");
        QueueRules.Check(new QueueSettings { Rate = new RateLimit(1, 1) }, Delivery.Push).ShouldNotBeNull();
    }

    [Theory]
    [InlineData(2, 10_000, 5_000_000_000)]
    [InlineData(3, 1, 333_334)] // rounded up: never faster than allowed
    [InlineData(1_000_000, 1, 1)]
    public void A_rate_token_returns_after_its_share_of_the_interval(int tokens, long intervalMs, long periodNs) =>
        new RateLimit(tokens, intervalMs).PeriodNs.ShouldBe(periodNs);

    [Fact]
    public void Settings_round_trip_through_their_text()
    {
        var settings = new QueueSettings
        {
            Description = "größe \"x\"",
            LeaseMs = 5000,
            ExpireAfterMs = 6000,
            Retry = new RetryPolicy { Intervals = [1, 2.5] },
            MaxAttempts = 7,
            MaxRunning = 8,
            Rate = new RateLimit(9, 10),
            Paused = true,
            DeadLetters = new DeadLetterSettings(false, 11, 12_000),
            KeepFinishedMs = 13_000,
            Events = EventPolicy.Terminal,
            Tiers = new Dictionary<int, TierDefaults> { [3] = new() { Priority = Priority.High, MaxAttempts = 2 } },
            Adapter = """{"a":1}""",
        };

        var read = QueueSettings.FromText(settings.ToText());

        read.ToText().ShouldBe(settings.ToText());
        (read.Description, read.Rate, read.DeadLetters, read.Events, read.Adapter)
            .ShouldBe((settings.Description, settings.Rate, settings.DeadLetters, settings.Events, settings.Adapter));
        read.Retry!.Intervals.ShouldBe([1, 2.5]);
        read.At(3).ShouldBe(settings.At(3));
        read.At(4).ShouldBeNull();
        QueueSettings.FromText("{}").ShouldBe(QueueSettings.Default);
    }

    private static string Problem(QueueSettings settings) => QueueRules.Check(settings, Delivery.Pull).ShouldNotBeNull();
}
