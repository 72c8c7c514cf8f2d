using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Engine.Memory;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Memory is reserved in order of arrival, never beyond the pool, and no reservation waits forever.</summary>
public sealed class MemoryPoolTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Reservations_that_fit_are_granted_at_once_and_the_rest_in_order_of_arrival()
    {
        var pool = Pool(100);
        var first = await pool.ReserveAsync(80, default);
        var large = pool.ReserveAsync(50, default).AsTask();
        var small = pool.ReserveAsync(10, default).AsTask();

        small.IsCompleted.ShouldBeFalse("it fits, but came later");
        pool.TryReserve(1).ShouldBeNull();
        (pool.Used, pool.Waiting).ShouldBe((80, 2));

        first.Dispose();
        using (await large)
        using (await small)
            pool.Used.ShouldBe(60);
        pool.Used.ShouldBe(0);
    }

    [Fact]
    public async Task A_reservation_that_times_out_is_refused_and_counted_and_leaves_nothing_behind()
    {
        var pool = Pool(100, TimeSpan.FromMilliseconds(20));
        using var all = await pool.ReserveAsync(100, default);

        await Should.ThrowAsync<OverloadedException>(pool.ReserveAsync(1, default).AsTask());

        (pool.Used, pool.Waiting, pool.Refused).ShouldBe((100, 0, 1));
    }

    [Fact]
    public async Task A_cancelled_reservation_unblocks_those_behind_it()
    {
        var pool = Pool(100);
        using var first = await pool.ReserveAsync(60, default);
        using var gone = new CancellationTokenSource();
        var large = pool.ReserveAsync(90, gone.Token).AsTask();
        var small = pool.ReserveAsync(40, default).AsTask();
        small.IsCompleted.ShouldBeFalse();

        await gone.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(large);
        (await small.WaitAsync(Patience)).Dispose();
        (pool.Used, pool.Waiting).ShouldBe((60, 0));
    }

    [Fact]
    public async Task A_reservation_above_the_pool_size_is_granted_when_the_pool_is_empty()
    {
        var pool = Pool(100);
        var small = await pool.ReserveAsync(1, default);
        var oversize = pool.ReserveAsync(500, default).AsTask();
        oversize.IsCompleted.ShouldBeFalse();

        small.Dispose();

        using var granted = await oversize.WaitAsync(Patience);
        pool.Used.ShouldBe(500);
        pool.TryReserve(1).ShouldBeNull();
    }

    [Fact]
    public async Task Reservations_that_grow_concurrently_all_reach_their_size()
    {
        var pool = Pool(100);
        var (first, second) = (await pool.ReserveAsync(10, 80, default), await pool.ReserveAsync(10, 80, default));
        await first.GrowAsync(30, default);

        // Granting it would leave neither of them enough to finish.
        var blocked = second.GrowAsync(30, default).AsTask();
        blocked.IsCompleted.ShouldBeFalse();
        await first.GrowAsync(80, default);
        blocked.IsCompleted.ShouldBeFalse();

        first.Dispose();
        await blocked.WaitAsync(Patience);
        await second.GrowAsync(80, default);
        pool.Used.ShouldBe(80);
    }

    [Fact]
    public async Task A_growing_reservation_precedes_new_ones_and_does_not_starve()
    {
        var pool = Pool(100);
        var growing = await pool.ReserveAsync(10, 90, default);
        var other = await pool.ReserveAsync(40, default);
        var more = growing.GrowAsync(90, default).AsTask();
        var late = pool.ReserveAsync(5, default).AsTask();

        late.IsCompleted.ShouldBeFalse("it fits now, but then the other one might wait for ever");
        other.Dispose();
        await more.WaitAsync(Patience);
        (await late.WaitAsync(Patience)).Dispose();
    }

    [Fact]
    public async Task Set_returns_unneeded_memory()
    {
        var pool = Pool(100);
        using var lease = await pool.ReserveAsync(100, default);
        var waiting = pool.ReserveAsync(60, default).AsTask();

        lease.Set(40);

        (await waiting.WaitAsync(Patience)).Dispose();
        pool.Used.ShouldBe(40);
        lease.Dispose();
        lease.Dispose();
        pool.Used.ShouldBe(0);
    }

    [Fact]
    public async Task Under_contention_the_pool_is_never_exceeded_and_every_caller_succeeds()
    {
        const int Size = 1000;
        var pool = Pool(Size);
        var worst = 0L;
        await Task.WhenAll(Enumerable.Range(0, 200).Select(seed => Task.Run(async () =>
        {
            var random = new Random(seed);
            for (var round = 0; round < 20; round++)
            {
                var most = random.Next(1, Size);
                using var lease = await pool.ReserveAsync(random.Next(1, most + 1), most, default);
                while (lease.Bytes < most)
                {
                    await lease.GrowAsync(Math.Min(most, lease.Bytes + random.Next(1, 300)), default);
                    InterlockedMax(ref worst, pool.Used);
                }
            }
        }))).WaitAsync(Patience);

        worst.ShouldBeLessThanOrEqualTo(Size);
        (pool.Used, pool.Waiting, pool.Refused).ShouldBe((0, 0, 0));
    }

    private static MemoryPool Pool(long size, TimeSpan? patience = null) => new("test", size, patience ?? Patience, TimeProvider.System);

    private static void InterlockedMax(ref long target, long value)
    {
        for (var seen = Volatile.Read(ref target); seen < value; seen = Volatile.Read(ref target))
            Interlocked.CompareExchange(ref target, value, seen);
    }
}
