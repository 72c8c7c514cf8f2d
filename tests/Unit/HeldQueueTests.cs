using Shouldly;
using TaskQueue.Bus.Dispatch;
using Xunit;

namespace TaskQueue.Tests.Unit;

public sealed class HeldQueueTests
{
    private readonly HeldQueue _queue = new("q", since: 0);
    private readonly List<Guid> _tasks = [.. Enumerable.Range(0, 2 * TaskSender.MaxTasks).Select(_ => Guid.NewGuid())];

    [Fact]
    public void Tasks_are_sent_in_order_and_once()
    {
        _tasks.ForEach(t => _queue.Add(t).ShouldBeTrue());
        _tasks.ForEach(t => _queue.Add(t).ShouldBeFalse());
        var sent = new List<Guid>();
        while (_queue.Next() is { Count: > 0 } next)
        {
            sent.AddRange(next);
            _queue.Remove(_ => true).ShouldBe(next.Count);
        }

        sent.ShouldBe(_tasks);
        _queue.Tasks.ShouldBeEmpty();
    }

    [Fact]
    public void Tasks_that_were_not_sent_are_the_next()
    {
        _tasks.ForEach(t => _queue.Add(t));
        _queue.Next().ShouldBe(_tasks[..TaskSender.MaxTasks]);
        _queue.Remove(t => t == _tasks[0]).ShouldBe(1);
        _queue.Next().ShouldBe(_tasks[1..(TaskSender.MaxTasks + 1)]);
        _queue.Add(_tasks[0]).ShouldBeTrue(); // dispatched again by the scheduler
        _queue.Tasks.Count.ShouldBe(_tasks.Count);
    }

    [Fact]
    public void A_task_that_is_dispatched_anew_while_it_is_being_sent_is_sent_again()
    {
        _queue.Add(_tasks[0]);
        _queue.Next().ShouldBe([_tasks[0]]);
        _queue.Add(_tasks[0]).ShouldBeFalse();

        _queue.Remove(_ => true).ShouldBe(0);

        _queue.Next().ShouldBe([_tasks[0]]);
        _queue.Remove(_ => true).ShouldBe(1);
        _queue.Next().ShouldBeEmpty();
    }
}
