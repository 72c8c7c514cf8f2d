using Shouldly;
using TaskQueue.Engine.Tasks;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Unit;

/// <summary>Times of acceptance of tasks that were submitted in one list.</summary>
public sealed class ListOrderTests
{
    [Fact]
    public void Ids_that_ascend_change_nothing()
    {
        var tasks = Tasks((1, 0), (2, 0), (2, 0), (3, 60), (4, 0));

        ListOrder.Keep(tasks, T0);

        tasks.Select(t => t.Task.CreatedAt).ShouldAllBe(at => at == T0);
        tasks.Select(t => t.Task.DueAt).ShouldBe([T0, T0, T0, T0.AddSeconds(60), T0]);
    }

    [Fact]
    public void Tasks_that_are_due_at_once_are_due_in_the_order_of_the_list_and_none_has_to_wait()
    {
        var tasks = Tasks((5, 0), (3, 0), (4, 0), (1, 0));

        ListOrder.Keep(tasks, T0);

        DateTime[] times = [T0.AddMicroseconds(-2), T0.AddMicroseconds(-1), T0.AddMicroseconds(-1), T0];
        tasks.Select(t => t.Task.CreatedAt).ShouldBe(times);
        tasks.Select(t => t.Task.DueAt).ShouldBe(times);
    }

    [Fact]
    public void Tasks_with_one_scheduled_time_keep_the_order_of_the_list_and_are_due_at_that_time()
    {
        var tasks = Tasks((9, 60), (5, 0), (8, 60), (2, 0), (7, 60), (6, 30));

        ListOrder.Keep(tasks, T0);

        tasks.Select(t => (t.Task.CreatedAt - T0).TotalMicroseconds).ShouldBe([-3, -2, -2, -1, -1, 0]);
        tasks.Select(t => t.Task.DueAt).ShouldBe(
        [
            T0.AddSeconds(60), T0.AddMicroseconds(-2), T0.AddSeconds(60), T0.AddMicroseconds(-1), T0.AddSeconds(60), T0.AddSeconds(30),
        ]);
    }

    private static List<NewTask> Tasks(params (int Id, int Seconds)[] tasks) =>
        [.. tasks.Select(one => new NewTask(New(change: t =>
            (t.CorrelationId, t.DueAt) = (new Guid(one.Id, 0, 0, new byte[8]), T0.AddSeconds(one.Seconds)))))];
}
