using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Unit;

public sealed class DuplicateRulesTests
{
    [Fact]
    public void A_duplicate_that_overwrites_nothing_is_skipped()
    {
        var holder = Holder();

        Meet(holder, OverwriteFields.None).ShouldBe(new SubmitResult(holder.CorrelationId, SubmitStatus.Skipped, null));

        holder.Describe().ShouldBe(Holder(holder.CorrelationId).Describe());
        holder.Events.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(OverwriteFields.Payload)]
    [InlineData(OverwriteFields.ScheduledAt)]
    [InlineData(OverwriteFields.ExpiresAt)]
    [InlineData(OverwriteFields.Payload | OverwriteFields.ScheduledAt | OverwriteFields.ExpiresAt)]
    public void A_duplicate_changes_what_it_names_and_no_more(OverwriteFields overwrite)
    {
        var holder = Holder();
        var expected = Holder(holder.CorrelationId);
        if (overwrite.HasFlag(OverwriteFields.Payload))
            (expected.Payload, expected.Name) = ("new", "new name");
        if (overwrite.HasFlag(OverwriteFields.ScheduledAt))
            expected.DueAt = T0.AddSeconds(30);
        if (overwrite.HasFlag(OverwriteFields.ExpiresAt))
            expected.ExpiresAt = T0.AddSeconds(60);

        Meet(holder, overwrite).ShouldBe(new SubmitResult(holder.CorrelationId, SubmitStatus.Overwritten, holder));

        holder.Describe().ShouldBe(expected.Describe());
        holder.Events.ShouldHaveSingleItem().Type.ShouldBe(TaskEventType.Overwritten);
    }

    [Fact]
    public void A_pushed_holder_is_dispatched_at_its_new_time()
    {
        var holder = Holder();
        (holder.Push, holder.DispatchAt) = (true, T0);

        Meet(holder, OverwriteFields.ScheduledAt);

        holder.DispatchAt.ShouldBe(T0.AddSeconds(30));
    }

    [Fact]
    public void A_running_holder_is_returned_unchanged()
    {
        var holder = Holder();
        holder.State = TaskStates.Running;
        var before = holder.Describe();

        Meet(holder, OverwriteFields.Payload).ShouldBe(new SubmitResult(holder.CorrelationId, SubmitStatus.Running, holder));

        holder.Describe().ShouldBe(before);
        holder.Events.ShouldBeEmpty();
    }

    [Fact]
    public void Tasks_within_one_list_are_checked_against_each_other_in_order()
    {
        var (first, second, third) = (Duplicate(), Duplicate(), Duplicate());
        (second.Payload, third.Payload) = ("second", "third");

        var answers = Answer([new(first), new(second, OverwriteFields.Payload), new(third)], inserted: [first.CorrelationId])
            .ShouldNotBeNull();

        answers.Select(a => (a.Id, a.Result)).ShouldBe(
            [(first.CorrelationId, SubmitStatus.Accepted), (first.CorrelationId, SubmitStatus.Overwritten),
                (first.CorrelationId, SubmitStatus.Skipped)]);
        first.Payload.ShouldBe("second");
        first.Events.Select(e => e.Type).ShouldBe([TaskEventType.Submitted, TaskEventType.Overwritten]);
    }

    [Fact]
    public void A_taken_id_is_reported_before_a_taken_dedupe_key()
    {
        var (task, holder) = (Duplicate(), Holder());

        Answer([new(task)], taken: [task.CorrelationId], holders: holder).ShouldNotBeNull().ShouldHaveSingleItem()
            .ShouldBe(new SubmitResult(task.CorrelationId, SubmitStatus.IdTaken, null));
        Answer([new(task), new(task.Copy())], inserted: [task.CorrelationId]).ShouldNotBeNull().Select(a => a.Result)
            .ShouldBe([SubmitStatus.Accepted, SubmitStatus.IdTaken]);
    }

    [Fact]
    public void A_holder_that_ended_meanwhile_causes_a_retry() => Answer([new(Duplicate())]).ShouldBeNull();

    private static TaskState Holder(Guid? id = null) => New(change: t =>
        (t.CorrelationId, t.DedupeKey, t.Payload, t.DueAt, t.ExpiresAt) =
            (id ?? t.CorrelationId, "k", "old", T0.AddSeconds(1), T0.AddSeconds(2)));

    private static TaskState Duplicate() => New(change: t =>
        (t.DedupeKey, t.Payload, t.Name, t.DueAt, t.ExpiresAt) = ("k", "new", "new name", T0.AddSeconds(30), T0.AddSeconds(60)));

    private static SubmitResult Meet(TaskState holder, OverwriteFields overwrite) =>
        Answer([new(Duplicate(), overwrite)], holders: holder).ShouldNotBeNull().ShouldHaveSingleItem();

    private static List<SubmitResult>? Answer(IReadOnlyList<NewTask> tasks, HashSet<Guid>? inserted = null, HashSet<Guid>? taken = null,
        params TaskState[] holders) =>
        DuplicateRules.Answer(tasks, inserted ?? [], (taken ?? []).ToDictionary(id => id, id => new TakenId(id, null, null)),
            holders.ToDictionary(h => (h.Queue, h.DedupeKey!)));
}
