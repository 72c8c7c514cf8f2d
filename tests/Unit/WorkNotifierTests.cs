using Shouldly;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using Xunit;

namespace TaskQueue.Tests.Unit;

public sealed class WorkNotifierTests
{
    private static readonly QueueTier A = new("a", 0);
    private static readonly QueueTier B = new("b", 0);

    private readonly WorkNotifier _workNotifier = new(TimeProvider.System);

    private static DateTime Now => TimeProvider.System.GetUtcNow().UtcDateTime;

    [Fact]
    public async Task A_due_task_wakes_one_waiter_of_its_target()
    {
        using var other = _workNotifier.Register([B]);
        using var waiter = _workNotifier.Register([new("a", 1)]);
        using var first = _workNotifier.Register([A]);
        using var second = _workNotifier.Register([A]);

        _workNotifier.Notify(A, Now);

        (await RungAsync(first, second)).ShouldBe(1);
        (await RungAsync(other, waiter)).ShouldBe(0);
    }

    [Fact]
    public async Task Each_due_task_wakes_another_waiter()
    {
        using var first = _workNotifier.Register([A, B]);
        using var second = _workNotifier.Register([A]);
        using var third = _workNotifier.Register([A]);

        _workNotifier.Notify(A, Now);
        _workNotifier.Notify(A, Now);

        (await RungAsync(first, second, third)).ShouldBe(2);
    }

    [Fact]
    public async Task Released_capacity_wakes_one_waiter_per_tier_of_its_queue_in_every_process()
    {
        using var first = _workNotifier.Register([A]);
        using var second = _workNotifier.Register([A]);
        using var third = _workNotifier.Register([A]);
        using var waiter = _workNotifier.Register([new("a", 1)]);
        using var other = _workNotifier.Register([B]);

        _workNotifier.NotifyTiers("a");
        (await RungAsync(first, second, third)).ShouldBe(1);
        (await RungAsync(waiter)).ShouldBe(1);

        using var late = _workNotifier.Register([new("a", 7)]);
        var end = new TaskEvent { Queue = "a", Tier = 3, Type = TaskEventType.Completed, At = Now, ReleasesCapacity = true };
        foreach (var arrival in WorkAvailable.Of([end]).Arrivals)
            _workNotifier.Notify(arrival);
        (await RungAsync(second, third)).ShouldBe(1);
        (await RungAsync(late)).ShouldBe(1);
        (await RungAsync(other)).ShouldBe(0);
    }

    [Fact]
    public async Task A_task_scheduled_for_later_wakes_all_waiters_and_the_scheduler()
    {
        var told = new List<DateTime>();
        _workNotifier.DueLater = told.Add;
        using var first = _workNotifier.Register([A]);
        using var second = _workNotifier.Register([A]);
        var due = Now.AddHours(1);

        _workNotifier.Notify(A, due);
        _workNotifier.Notify(B, Now);

        (await RungAsync(first, second)).ShouldBe(2);
        told.ShouldBe([due]);
    }

    [Fact]
    public async Task A_notification_for_a_waiter_that_left_goes_to_the_next()
    {
        var gone = _workNotifier.Register([A]);
        using var next = _workNotifier.Register([A]);
        _workNotifier.Notify(A, Now);

        (await RungAsync(next)).ShouldBe(0);
        gone.Dispose();

        (await RungAsync(next)).ShouldBe(1);
    }

    [Fact]
    public async Task A_received_notification_is_not_passed_on()
    {
        var first = _workNotifier.Register([A]);
        using var next = _workNotifier.Register([A]);
        _workNotifier.Notify(A, Now);

        (await RungAsync(first)).ShouldBe(1);
        first.Dispose();

        (await RungAsync(next)).ShouldBe(0);
    }

    [Fact]
    public async Task A_cancelled_waiter_passes_its_notification_on()
    {
        using var stop = new CancellationTokenSource();
        var gone = _workNotifier.Register([A]);
        using var next = _workNotifier.Register([A]);
        var waiting = gone.WaitAsync(TimeSpan.FromMinutes(1), stop.Token);

        await stop.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(waiting);
        _workNotifier.Notify(A, Now);
        gone.Dispose();

        (await RungAsync(next)).ShouldBe(1);
    }

    [Fact]
    public async Task A_notification_between_registration_and_wait_is_not_lost()
    {
        using var waiter = _workNotifier.Register([A]);
        _workNotifier.Notify(A, Now); // while the worker polls for work

        (await waiter.WaitAsync(TimeSpan.FromMinutes(1), CancellationToken.None)).ShouldBeTrue();
    }

    [Fact]
    public async Task A_notification_without_waiters_is_not_remembered()
    {
        _workNotifier.Register([A]).Dispose();
        _workNotifier.Notify(A, Now);

        using var waiter = _workNotifier.Register([A]);

        (await RungAsync(waiter)).ShouldBe(0);
    }

    /// <summary>How many of them were notified; nothing waits.</summary>
    private static async Task<int> RungAsync(params WorkNotifier.Waiter[] waiters)
    {
        var rung = 0;
        foreach (var waiter in waiters)
            rung += await waiter.WaitAsync(TimeSpan.Zero, CancellationToken.None) ? 1 : 0;
        return rung;
    }
}
