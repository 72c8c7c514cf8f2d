using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using Xunit;

namespace TaskQueue.Tests.Unit;

public sealed class TaskRulesTests
{
    private static readonly TaskSubmission Good = new(Guid.NewGuid(), "reports", "{}");

    [Fact]
    public void Every_state_has_a_word_that_parses_back()
    {
        TaskStates.All.Select(TaskStates.Word).ShouldBe(["pending", "running", "completed", "failed", "retrying", "cancelled", "expired"]);
        foreach (var state in TaskStates.All)
            TaskStates.Parse(TaskStates.Word(state)).ShouldBe(state);
        TaskStates.Parse("Pending").ShouldBeNull();
        TaskStates.Parse("").ShouldBeNull();
    }

    [Fact]
    public void State_words_match_the_state_machines_numbers()
    {
        var machine = new TaskStateMachine();
        var states = machine.States.Where(s => s.Name is not ("Initial" or "Final")).Select(s => s.Name).ToList();

        states.Order().ShouldBe(TaskStates.All.Select(s => char.ToUpperInvariant(TaskStates.Word(s)[0]) + TaskStates.Word(s)[1..]).Order());
    }

    [Fact]
    public void The_four_terminal_states() =>
        TaskStates.All.Where(TaskStates.IsTerminal)
            .ShouldBe([TaskStates.Completed, TaskStates.Failed, TaskStates.Cancelled, TaskStates.Expired]);

    [Theory]
    [InlineData(1, 2)]
    [InlineData(2, 4)]
    [InlineData(3, 8)]
    [InlineData(11, 2048)]
    [InlineData(12, 3600)]
    [InlineData(100, 3600)]
    public void A_retry_waits_twice_as_long_each_time_up_to_an_hour(int attemptsDone, int seconds) =>
        RetryBackoff.After(null, attemptsDone, Guid.Empty).ShouldBe(TimeSpan.FromSeconds(seconds));

    [Theory]
    [InlineData("a", true)]
    [InlineData("Reports_2-eu", true)]
    [InlineData("0123456789012345678901234567890123456789012345678901234567890123"
        + "0123456789012345678901234567890123456789012345678901234567890123", true)]
    [InlineData("0123456789012345678901234567890123456789012345678901234567890123"
        + "01234567890123456789012345678901234567890123456789012345678901234", false)]
    [InlineData("", false)]
    [InlineData(null, false)]
    [InlineData("a b", false)]
    [InlineData("a:1", false)]
    [InlineData("größe", false)]
    [InlineData("a\n", false)]
    public void A_queue_name_is_letters_digits_hyphens_and_underscores(string? name, bool valid) =>
        QueueNames.IsValid(name).ShouldBe(valid);

    [Theory]
    [InlineData("a", 0)]
    [InlineData("a:0", 0)]
    [InlineData("a:7", 7)]
    [InlineData("a:65535", 65535)]
    public void A_target_is_a_name_with_or_without_a_tier(string text, int tier) =>
        QueueNames.Parse(text).ShouldBe(new QueueTier("a", tier));

    [Theory]
    [InlineData("a:65536")]
    [InlineData("a:99999999999")]
    [InlineData("a:-1")]
    [InlineData("a:+1")]
    [InlineData("a: 1")]
    [InlineData("a:")]
    [InlineData(":1")]
    [InlineData("a:1:2")]
    [InlineData("a:١")]
    [InlineData("")]
    [InlineData(null)]
    public void Anything_else_is_not_a_target(string? text) => QueueNames.Parse(text).ShouldBeNull();

    [Fact]
    public void A_single_tier_can_be_requested()
    {
        QueueNames.Parse("a", tierRequired: true).ShouldBeNull();
        QueueNames.Parse("a:1", tierRequired: true).ShouldBe(new QueueTier("a", 1));
    }

    [Fact]
    public void A_submission_with_everything_at_its_limit_is_accepted()
    {
        var task = Good with
        {
            Tier = QueueNames.MaxTier,
            MaxAttempts = 100,
            Name = new string('n', 256),
            Payload = new string('ö', 512),
            ScheduledAt = new DateTime(9000, 1, 1, 0, 0, 0, DateTimeKind.Utc),
            ExpiresAt = DateTime.UnixEpoch,
            Headers = "{}",
        };

        SubmissionRules.Check(Good, 1024).ShouldBeNull();
        SubmissionRules.Check(task, 1024).ShouldBeNull();
    }

    [Fact]
    public void A_broken_rule_is_named_with_what_to_change()
    {
        Problem(Good with { Queue = "a b" }).ShouldStartWith("queue must be");
        Problem(Good with { Queue = null! }).ShouldStartWith("queue must be");
        Problem(Good with { Tier = -1 }).ShouldStartWith("tier must be");
        Problem(Good with { Tier = QueueNames.MaxTier + 1 }).ShouldStartWith("tier must be");
        Problem(Good with { Priority = (Priority)9 }).ShouldStartWith("priority must be");
        Problem(Good with { MaxAttempts = 0 }).ShouldStartWith("max_attempts must be");
        Problem(Good with { MaxAttempts = 101 }).ShouldStartWith("max_attempts must be");
        Problem(Good with { Name = new string('n', 257) }).ShouldStartWith("name must have");
        Problem(Good with { ScheduledAt = DateTime.MinValue }).ShouldStartWith("scheduled_at and expires_at must lie");
        Problem(Good with { ExpiresAt = DateTime.MaxValue }).ShouldStartWith("scheduled_at and expires_at must lie");
        Problem(Good with { Payload = new string('ö', 513) }).ShouldStartWith("payload must have at most 1024 bytes");
        Problem(Good with { Payload = null! }).ShouldStartWith("payload must have");
        Problem(Good with { Payload = "\0" }).ShouldContain("U+0000");
        Problem(Good with { Name = "\0" }).ShouldContain("U+0000");
        Problem(Good with { Headers = "\0" }).ShouldContain("U+0000");
    }

    private static string Problem(TaskSubmission task) => SubmissionRules.Check(task, 1024).ShouldNotBeNull();
}
