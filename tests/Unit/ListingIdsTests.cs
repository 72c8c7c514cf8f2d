using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Which tasks are listed under other ids than their own.</summary>
public sealed class ListingIdsTests
{
    private static readonly DateTime Now = new(2031, 2, 3, 4, 5, 6, DateTimeKind.Utc);
    private static readonly SetTime Time = new(Now);

    [Fact]
    public void Ids_that_begin_with_the_time_of_acceptance_and_ascend_are_kept()
    {
        Listed(TaskId.New(Time), TaskId.New(Time)).ShouldBe([null, null]);
        Listed(At(-59), At(-58), At(1.9)).ShouldBe([null, null, null]);
    }

    [Theory]
    [InlineData(-61)]
    [InlineData(2.1)]
    [InlineData(1_000_000_000)]
    public void Others_are_replaced_for_the_whole_list_in_its_order(double seconds)
    {
        var listed = Listed(At(0), At(seconds), At(1));

        listed.ShouldAllBe(id => id != null && id > ListingIds.From(Now) && id < ListingIds.Before(Now));
        listed.ShouldBe(listed.Order());
        listed.ShouldBeUnique();
        Listed(At(seconds))[0].ShouldNotBeNull();
    }

    [Fact]
    public void Ids_that_do_not_ascend_are_replaced() => Listed(At(1), At(0)).ShouldAllBe(id => id != null);

    [Fact]
    public void Items_of_a_batch_keep_theirs()
    {
        List<NewTask> tasks = [new(TestTasks.New(change: t => (t.CorrelationId, t.BatchId) = (At(-3600), Guid.NewGuid())))];
        ListingIds.Assign(tasks, Now, Time);
        tasks[0].Task.ListedAs.ShouldBeNull();
    }

    private static Guid At(double seconds) => Guid.CreateVersion7(new DateTimeOffset(Now.AddSeconds(seconds)));

    private static List<Guid?> Listed(params Guid[] ids)
    {
        List<NewTask> tasks = [.. ids.Select(id => new NewTask(TestTasks.New(change: t => t.CorrelationId = id)))];
        ListingIds.Assign(tasks, Now, Time);
        return tasks.ConvertAll(t => t.Task.ListedAs);
    }
}
