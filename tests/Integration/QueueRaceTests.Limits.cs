using System.Diagnostics;
using Shouldly;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

public abstract partial class QueueRaceTests
{
    [Fact]
    public async Task Running_tasks_never_exceed_the_concurrency_limit_and_use_all_of_it()
    {
        const int Limit = 3;
        await CreateAsync(new QueueSettings { MaxRunning = Limit });
        await ManyAsync(80, _ => Any().Tasks.SubmitAsync(New()));
        var (running, most, done) = (0, 0, 0);
        var start = Stopwatch.GetTimestamp();
        await ManyAsync(8, async i =>
        {
            while (Volatile.Read(ref done) < 80)
            {
                Stopwatch.GetElapsedTime(start).ShouldBeLessThan(Deadline, $"{done} are done");
                var tasks = await ClaimAsync(1 + (i % 3));
                InterlockedMax(ref most, Interlocked.Add(ref running, tasks.Count));
                foreach (var task in tasks)
                {
                    Interlocked.Decrement(ref running); // before it ends, so that a slot is never counted twice
                    (await CompleteAsync(task)).ShouldBe(CommandResult.Applied);
                    Interlocked.Increment(ref done);
                }

                (await Any().Queues.StatsAsync("q", Access.All, default)).Running.ShouldBeLessThanOrEqualTo(Limit);
            }

            return true;
        });
        most.ShouldBeInRange(1, Limit);

        await ManyAsync(5, _ => Any().Tasks.SubmitAsync(New()));
        (await ClaimAsync(10)).Count.ShouldBe(Limit);
        (await ClaimAsync(10)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Claims_never_exceed_the_rate_limit_and_use_all_of_it()
    {
        var rate = new RateLimit(20, 20); // a token a millisecond: waiting for the lock takes longer
        await CreateAsync(new QueueSettings { Rate = rate });
        for (var batch = 0; batch < 10; batch++)
            await Any().Tasks.SubmitManyAsync([.. Enumerable.Range(0, 300).Select(_ => New())]);

        var start = Stopwatch.GetTimestamp();
        var claimed = await ManyAsync(200, async i => (await ClaimAsync(1 + (i % 9))).Count);
        var tokens = rate.MaxTokens + 1 + (Stopwatch.GetElapsedTime(start).TotalMilliseconds * rate.MaxTokens / rate.IntervalMs);

        claimed.Sum().ShouldBeInRange(rate.MaxTokens, (int)tokens);
        await ShouldClaimAllAsync(rate.MaxTokens);
    }

    /// <summary>A bucket that had time to fill.</summary>
    private async Task ShouldClaimAllAsync(int tokens)
    {
        var (last, most) = (Now, 0);
        await Eventually.UntilAsync(
            async () =>
            {
                if (Now - last < TimeSpan.FromMilliseconds(60))
                    return false;
                most = (await ClaimAsync(tokens + 5)).Count;
                last = Now;
                return most >= tokens;
            },
            Deadline,
            $"{tokens} at once");
        most.ShouldBeInRange(tokens, tokens + 5);
    }

    [Fact]
    public async Task Dead_letters_settle_at_or_below_their_maximum()
    {
        const int Size = 3;
        await CreateAsync(new QueueSettings { DeadLetters = new DeadLetterSettings(MaxSize: Size) });
        for (var round = 0; round < 12; round++)
        {
            await ManyAsync(10, _ => Any().Tasks.SubmitAsync(New()));
            var tasks = await ClaimAsync(10);
            var deadLetters = await DeadAsync();
            var refused = ManyAsync(deadLetters.Count * 2,
                i => CompleteAsync(deadLetters[i / 2]), atOnce: 3); // a worker that comes too late
            (await ManyAsync(tasks.Count, i => FailAsync(tasks[i], retryable: false))).ShouldAllBe(v => v == CommandResult.Applied);
            await refused;

            var dead = await DeadAsync();
            dead.Count.ShouldBe(Size, $"round {round}");
            (await Any().Queues.StatsAsync("q", Access.All, default)).Dead.ShouldBe(Size);
        }
    }

    private async Task<IReadOnlyList<TaskState>> DeadAsync() =>
        (await Any().Queries.ListAsync("q", TaskList.Dead, null, 100, Access.All, CancellationToken.None)).Tasks;

    private async Task CreateAsync(QueueSettings settings) => await _engines[0].Queues.CreateAsync("q", Delivery.Pull, settings);

    private static void InterlockedMax(ref int target, int value)
    {
        for (var seen = Volatile.Read(ref target); seen < value; seen = Volatile.Read(ref target))
            Interlocked.CompareExchange(ref target, value, seen);
    }
}
