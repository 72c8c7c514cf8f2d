using Shouldly;
using TaskQueue.Engine.Quotas;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>The arithmetic of quotas.</summary>
public sealed class QuotaTests
{
    private const long Second = 1_000_000_000;

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(10)]
    [InlineData(1_000)]
    [InlineData(999_983)]
    [InlineData(1_000_000)]
    public void A_bucket_grants_one_seconds_tokens_at_once_and_the_limit_over_time(long limit)
    {
        var now = 1_700_000_000 * Second;
        var (first, spent) = TokenBucket.Take(0, now, limit, long.MaxValue);
        first.Tokens.ShouldBe(limit);
        TokenBucket.Used(spent, now, limit).ShouldBe(limit);
        var granted = 0L;
        for (var i = 0; i < 100; i++)
        {
            now += Second / 10;
            (var grant, spent) = TokenBucket.Take(spent, now, limit, long.MaxValue);
            granted += grant.Tokens;
        }

        granted.ShouldBeInRange((limit * 10) - 1, (limit * 10) + Math.Max(1, limit / 500));
    }

    [Fact]
    public void An_empty_bucket_shows_when_the_next_token_returns()
    {
        var now = 1_700_000_000 * Second;
        var (_, spent) = TokenBucket.Take(0, now, 10, 10);
        var (grant, same) = TokenBucket.Take(spent, now, 10, 1);
        (grant.Tokens, same).ShouldBe((0, spent));
        grant.RetryAfter.ShouldBe(TimeSpan.FromMilliseconds(100));
        TokenBucket.Take(spent, now + Second / 10, 10, 1).Grant.Tokens.ShouldBe(1);
        TokenBucket.Take(spent, now - (3600 * Second), 10, 1)
            .Grant.RetryAfter.ShouldBeLessThanOrEqualTo(TimeSpan.FromMilliseconds(100)); // the clock was set back
        TokenBucket.Used(spent, now + Second, 10).ShouldBe(0);
    }

    [Fact]
    public async Task Processes_that_lease_from_one_bucket_share_its_limit()
    {
        const long limit = 100;
        var time = new SetTime(new DateTime(2027, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        var (bucket, spent, leases) = (new Lock(), 0L, 0);
        Task<TokenGrant> Lease(long most, long wanted)
        {
            lock (bucket)
            {
                leases++;
                (var grant, spent) = TokenBucket.Take(spent, TokenBucket.Nanoseconds(time.Now), most, wanted);
                return Task.FromResult(grant);
            }
        }

        TokenLeases[] processes = [new(Lease, time), new(Lease, time), new(Lease, time)];
        var (accepted, turns) = (0, 1000);
        for (var turn = 0; turn < turns; turn++) // 10 seconds, 300 requests in each
        {
            time.Now += TimeSpan.FromMilliseconds(10);
            foreach (var process in processes)
            {
                if (process.TryTake(limit) || await process.TakeAsync(limit) is null)
                    accepted++;
            }
        }

        accepted.ShouldBeInRange((int)(limit * 9), (int)(limit * 11));
        leases.ShouldBeLessThan(10 * 3 * 8);
        foreach (var process in processes)
            process.Tokens.ShouldBeLessThanOrEqualTo(limit / 3);
    }

    [Fact]
    public async Task One_process_may_use_the_whole_limit_at_once()
    {
        var time = new SetTime(new DateTime(2027, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        var spent = 0L;
        var leases = new TokenLeases((limit, wanted) =>
        {
            (var grant, spent) = TokenBucket.Take(spent, TokenBucket.Nanoseconds(time.Now), limit, wanted);
            return Task.FromResult(grant);
        }, time);
        for (var request = 0; request < 1000; request++)
            (leases.TryTake(1000) || await leases.TakeAsync(1000) is null).ShouldBeTrue($"request {request}");
        leases.TryTake(1000).ShouldBeFalse();
        (await leases.TakeAsync(1000)).ShouldNotBeNull();
    }

    [Fact]
    public void The_smallest_key_quota_applies_then_the_tenants_then_the_default()
    {
        var keys = new QuotaLimits { Queues = 5, Streams = QuotaLimits.Unlimited,
            FileBytes = 100 }.Min(new QuotaLimits { Queues = 3, Streams = 7, Schedules = QuotaLimits.Unlimited });
        var tenant = new QuotaLimits { Queues = 99, Schedules = 4, WaitingTasks = QuotaLimits.Unlimited };
        var limits = keys.Or(tenant).Or(new QuotaLimits { WaitingTasks = 1, RequestsPerSecond = 2 }).Effective();

        limits.ShouldBe(new QuotaLimits { Queues = 3, Streams = 7, FileBytes = 100, Schedules = null, WaitingTasks = null,
            RequestsPerSecond = 2 });
    }

    [Fact]
    public void A_quota_is_stored_as_JSON_and_an_invalid_one_is_refused_with_the_reason()
    {
        var quota = new QuotaLimits { WaitingTasks = 1, FileBytes = 2, Queues = 3, Schedules = 4, Streams = 5, RequestsPerSecond = 6 };
        quota.ToText().ShouldBe("""{"waiting_tasks":1,"file_bytes":2,"queues":3,"schedules":4,"streams":5,"requests_per_second":6}""");
        QuotaLimits.FromText(quota.ToText()).ShouldBe(quota);
        quota.Problem.ShouldBeNull();
        new QuotaLimits { Streams = -2 }.Problem.ShouldBe("Streams must be 0 or more, or -1 for no limit");
        new QuotaLimits { RequestsPerSecond = 0 }.Problem.ShouldNotBeNull();
    }
}
