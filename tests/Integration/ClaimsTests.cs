using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Engine.Memory;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Workers;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

public sealed class ClaimsTests
{
    [Fact]
    public async Task A_task_that_becomes_due_right_after_an_empty_claim_is_not_missed()
    {
        var time = new HurriedTime();
        var store = DispatchProxy.Create<ITaskStore, EmptyStore>();
        var workNotifier = new WorkNotifier(time);
        using var postCommit = new PostCommitNotifier(workNotifier);
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var engine = new TestEngine(database.Address);
        var claims = new TaskClaimer(store, engine.Services.GetRequiredService<QueueCatalog>(), workNotifier, postCommit,
            engine.Services.GetRequiredService<TaskMetrics>(), engine.Services.GetRequiredService<MemoryBudget>(),
            engine.Services.GetRequiredService<WorkerRegistry>(), time);

        (await claims.ClaimAsync(new ClaimRequest([new("q", 0)], 1, "w", 1000), TimeSpan.FromSeconds(3), CancellationToken.None))
            .ShouldBeEmpty();

        var seen = (EmptyStore)store;
        seen.NextDueAfter.ShouldNotBeEmpty();
        seen.NextDueAfter.ShouldBe(seen.ClaimedAt.Take(seen.NextDueAfter.Count));
    }

    [Fact]
    public async Task Claims_that_arrive_while_others_run_share_the_next_one()
    {
        var store = DispatchProxy.Create<ITaskStore, HeldStore>();
        var held = (HeldStore)store;
        var workNotifier = new WorkNotifier(TimeProvider.System);
        using var postCommit = new PostCommitNotifier(workNotifier);
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var engine = new TestEngine(database.Address);
        var catalog = engine.Services.GetRequiredService<QueueCatalog>();
        await catalog.AllAsync(); // from now on in memory: a claim reaches the store before its caller goes on
        var claims = new TaskClaimer(store, catalog, workNotifier, postCommit,
            engine.Services.GetRequiredService<TaskMetrics>(), engine.Services.GetRequiredService<MemoryBudget>(),
            engine.Services.GetRequiredService<WorkerRegistry>(), TimeProvider.System);

        var running = Enumerable.Range(0, 12).Select(n =>
            claims.ClaimAsync(new ClaimRequest([new("q", 0)], 1, $"w{n}", 1000), TimeSpan.Zero, CancellationToken.None)).ToList();
        held.Claims.ShouldBe(2);
        held.Gate.SetResult();
        await Task.WhenAll(running);

        held.Claims.ShouldBe(2);
        held.Workers.SelectMany(w => w).Order(StringComparer.Ordinal)
            .ShouldBe(Enumerable.Range(2, 10).Select(n => $"w{n}").Order(StringComparer.Ordinal));
        held.Workers.Count.ShouldBe(1);
    }

    [Theory]
    [InlineData(2, true, true)]
    [InlineData(1, true, false)] // both have what they wanted: one tells of what was locked
    public async Task All_whose_share_of_a_combined_claim_was_cut_know_of_it(int max, params bool[] cut)
    {
        var store = DispatchProxy.Create<ITaskStore, SharesStore>();
        var shares = (SharesStore)store;
        shares.Shares = [[Task(600)], [Task(300)], []];
        var claims = new CombinedClaims(store, maxBytes: 1000, parallel: 1, maxTasks: 100);

        var running = Enumerable.Range(0, 4).Select(n =>
            claims.ClaimAsync(new ClaimRequest([new("q", 0)], max, $"w{n}", 1000) { MaxBytes = 1000 }, ClaimRules.None, default)).ToList();
        shares.Gate.SetResult();
        var claimed = await System.Threading.Tasks.Task.WhenAll(running);

        claimed.Select(c => (c.Tasks.Count, c.IsCut)).ShouldBe([(0, false), (1, cut[0]), (1, cut[1]), (0, false)]);

        static TaskState Task(int bytes) => new() { Queue = "q", Payload = new string('x', bytes) };
    }

    /// <summary>A store with tasks for one combined claim; single claims wait and get nothing.</summary>
    public class SharesStore : DispatchProxy
    {
        public TaskCompletionSource Gate { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public List<IReadOnlyList<TaskState>> Shares { get; set; } = [];

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
            targetMethod!.Name == nameof(ITaskStore.ClaimAsync) ? ClaimAsync()
                : Task.FromResult<IReadOnlyList<IReadOnlyList<TaskState>>>(Shares);

        private async Task<IReadOnlyList<TaskState>> ClaimAsync()
        {
            await Gate.Task;
            return [];
        }
    }

    /// <summary>A store without tasks whose single claims wait.</summary>
    public class HeldStore : DispatchProxy
    {
        private int _claims;

        public TaskCompletionSource Gate { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Claims => Volatile.Read(ref _claims);

        /// <summary>The workers of each combined claim.</summary>
        public List<List<string>> Workers { get; } = [];

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            if (targetMethod!.Name == nameof(ITaskStore.ClaimAsync))
                return ClaimAsync();
            var requests = (IReadOnlyList<ClaimRequest>)args![0]!;
            lock (Workers)
                Workers.Add([.. requests.Select(r => r.Worker)]);
            return Task.FromResult<IReadOnlyList<IReadOnlyList<TaskState>>>([.. requests.Select(_ => (IReadOnlyList<TaskState>)[])]);
        }

        private async Task<IReadOnlyList<TaskState>> ClaimAsync()
        {
            Interlocked.Increment(ref _claims);
            await Gate.Task;
            return [];
        }
    }

    /// <summary>Every reading of the clock takes a second.</summary>
    private sealed class HurriedTime : TimeProvider
    {
        private DateTimeOffset _now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

        public override DateTimeOffset GetUtcNow() => _now += TimeSpan.FromSeconds(1);
    }

    /// <summary>A store without tasks that records the times of its calls.</summary>
    public class EmptyStore : DispatchProxy
    {
        public List<DateTime> ClaimedAt { get; } = [];

        public List<DateTime> NextDueAfter { get; } = [];

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            var now = args!.OfType<DateTime>().Single();
            if (targetMethod!.Name == nameof(ITaskStore.NextDueAsync))
            {
                NextDueAfter.Add(now);
                return Task.FromResult<DateTime?>(null);
            }

            ClaimedAt.Add(now);
            return Task.FromResult<IReadOnlyList<TaskState>>([]);
        }
    }
}
