using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using TaskQueue.Consumers.Upstreams;
using TaskQueue.Engine.Quotas;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Budgets of owners at an upstream, in the memory of one process.</summary>
public sealed class OwnerBudgetTests
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(50));
    private readonly SharedBudget _budget;

    public OwnerBudgetTests() => _budget = new SharedBudget(new AloneStore(), _time);

    [Fact]
    public async Task A_minutes_worth_can_be_taken_at_once_and_fills_again()
    {
        for (var n = 0; n < 60; n++)
            (await TakeAsync("a", 60, 1)).ShouldBe(TimeSpan.Zero);

        var wait = await TakeAsync("a", 60, 1);
        wait.ShouldBeInRange(TimeSpan.FromSeconds(0.9), TimeSpan.FromSeconds(1.1));
        (await TakeAsync("b", 60, 1)).ShouldBe(TimeSpan.Zero);
        _time.Advance(wait);
        (await TakeAsync("a", 60, 1)).ShouldBe(TimeSpan.Zero);
    }

    [Fact]
    public async Task More_than_a_minutes_worth_needs_a_full_budget()
    {
        (await TakeAsync("a", 1000, 5000)).ShouldBe(TimeSpan.Zero);

        (await TakeAsync("a", 1000, 1)).ShouldBeGreaterThan(TimeSpan.FromMinutes(3.9));
        _time.Advance(TimeSpan.FromMinutes(5));
        (await TakeAsync("a", 1000, 5000)).ShouldBe(TimeSpan.Zero);
    }

    [Fact]
    public async Task What_was_used_is_settled_exactly()
    {
        (await TakeAsync("a", 1000, 900)).ShouldBe(TimeSpan.Zero);
        await _budget.SettleAsync("a", 1000, -800, default);
        (await TakeAsync("a", 1000, 900)).ShouldBe(TimeSpan.Zero);

        await _budget.SettleAsync("a", 1000, 1000, default);

        (await TakeAsync("a", 1000, 1)).ShouldBeGreaterThan(TimeSpan.FromSeconds(59));
    }

    [Fact]
    public async Task Processes_that_take_at_the_same_time_never_take_more_than_there_is()
    {
        var store = new SharedStore(_time);
        var processes = Enumerable.Range(0, 4).Select(_ => new SharedBudget(store, _time)).ToList();

        var waits = await Task.WhenAll(Enumerable.Range(0, 40).Select(n => processes[n % 4].TakeAsync("a", 30, 1, default)));

        waits.Count(w => w == TimeSpan.Zero).ShouldBe(30);
        waits.Max().ShouldBeLessThanOrEqualTo(TimeSpan.FromSeconds(2.1));
    }

    [Theory]
    [InlineData("{}", 1)]
    [InlineData("""{"messages":"0123456789012345678901234567890123456789"}""", 13)]
    [InlineData("""{"max_tokens":100}""", 104)]
    [InlineData("""{"max_completion_tokens":7,"max_tokens":100}""", 18)]
    [InlineData("""{"max_tokens":-1}""", 4)]
    [InlineData("oops", 1)]
    public void Tokens_are_estimated(string payload, long tokens) =>
        OwnerBudget.Estimate(Encoding.UTF8.GetBytes(payload)).ShouldBe(tokens);

    [Fact]
    public void The_keys_of_owners_and_upstreams_differ() =>
        new[] { SharedBudget.KeyOf("u", "a"), SharedBudget.KeyOf("u", "b"), SharedBudget.KeyOf("v", "a"), SharedBudget.KeyOf("u", null) }
            .Distinct().Count().ShouldBe(4);

    [Fact]
    public async Task A_request_waits_while_the_database_is_away()
    {
        var budget = new OwnerBudget(new SharedBudget(new AwayStore(), _time), _time, NullLogger<OwnerBudget>.Instance);
        var options = new UpstreamOptions { Endpoint = "/v1/x", BaseUrl = "http://h", OwnerRequestsPerMinute = 1 };
        var request = new OutgoingRequest(new Uri("http://h"), "{}"u8.ToArray(), "r", null, null);

        var (charge, wait) = await budget.ChargeAsync(options, request, TimeSpan.Zero, default);

        charge.ShouldBeNull();
        wait.ShouldBe(TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task What_is_given_back_can_be_charged_again()
    {
        var budget = new OwnerBudget(_budget, _time, NullLogger<OwnerBudget>.Instance);
        var options = new UpstreamOptions
        {
            Endpoint = "/v1/x", BaseUrl = "http://h", OwnerRequestsPerMinute = 1, OwnerTokensPerMinute = 1,
        };
        var request = new OutgoingRequest(new Uri("http://h"), "{}"u8.ToArray(), "r", null, null);
        var (charge, _) = await budget.ChargeAsync(options, request, TimeSpan.Zero, default);

        await budget.RefundAsync(options, charge!);

        (await budget.ChargeAsync(options, request, TimeSpan.Zero, default)).Wait.ShouldBe(TimeSpan.Zero);
        (await budget.ChargeAsync(options, request, TimeSpan.Zero, default)).Charge.ShouldBeNull();
    }

    [Theory]
    [InlineData(429, true)]
    [InlineData(503, true)]
    [InlineData(400, false)]
    public async Task A_request_that_was_refused_used_nothing(int status, bool isRefused)
    {
        var budget = new OwnerBudget(_budget, _time, NullLogger<OwnerBudget>.Instance);
        var options = new UpstreamOptions
        {
            Endpoint = "/v1/x", BaseUrl = "http://h", OwnerRequestsPerMinute = 1, OwnerTokensPerMinute = 1,
        };
        var request = new OutgoingRequest(new Uri("http://h"), "{}"u8.ToArray(), "r", null, null);
        var (charge, _) = await budget.ChargeAsync(options, request, TimeSpan.Zero, default);

        await budget.SettleAsync(options, charge!, UpstreamAnswer.Error(status, "no") with { IsNotNow = isRefused });

        ((await budget.ChargeAsync(options, request, TimeSpan.Zero, default)).Charge is not null).ShouldBe(isRefused);
    }

    private Task<TimeSpan> TakeAsync(string key, long perMinute, long units) => _budget.TakeAsync(key, perMinute, units, default);

    /// <summary>A store of several processes, in which each third change meets another.</summary>
    private sealed class SharedStore(TimeProvider time) : AloneStore
    {
        private readonly Dictionary<string, long> _spent = [];
        private int _changes;

        public override bool IsShared => true;

        public override Task<SharedBucket?> FindBucketAsync(string tenant, CancellationToken cancellationToken)
        {
            lock (_spent)
            {
                return Task.FromResult<SharedBucket?>(
                    _spent.TryGetValue(tenant, out var spent) ? new SharedBucket(spent, time.GetUtcNow().UtcDateTime) : null);
            }
        }

        public override Task AddBucketAsync(string tenant, DateTime now, CancellationToken cancellationToken)
        {
            lock (_spent)
                _spent.TryAdd(tenant, 0);
            return Task.CompletedTask;
        }

        public override Task<bool> TryUpdateBucketAsync(string tenant, SharedBucket bucket, long spent, CancellationToken cancellationToken)
        {
            lock (_spent)
            {
                if (++_changes % 3 == 0 || _spent[tenant] != bucket.Spent)
                    return Task.FromResult(false);
                _spent[tenant] = spent;
                return Task.FromResult(true);
            }
        }
    }

    /// <summary>A store whose database does not answer.</summary>
    private sealed class AwayStore : AloneStore
    {
        public override bool IsShared => true;

        public override Task<SharedBucket?> FindBucketAsync(string tenant, CancellationToken cancellationToken) =>
            throw new TimeoutException();
    }

    /// <summary>The store of a single process, which shares nothing.</summary>
    internal class AloneStore : ITenantUsageStore
    {
        public virtual bool IsShared => false;

        public Task<OtherProcesses> ExchangeAsync(ProcessUsage usage, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public Task<int> RemoveStaleAsync(DateTime before, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task RemoveProcessAsync(string process, CancellationToken cancellationToken) => throw new NotSupportedException();

        public virtual Task<SharedBucket?> FindBucketAsync(string tenant, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public virtual Task AddBucketAsync(string tenant, DateTime now, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public virtual Task<bool> TryUpdateBucketAsync(string tenant, SharedBucket bucket, long spent,
            CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}
