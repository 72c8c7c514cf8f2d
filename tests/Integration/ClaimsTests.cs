using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Engine.Memory;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
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
            engine.Services.GetRequiredService<TaskMetrics>(), engine.Services.GetRequiredService<MemoryBudget>(), time);

        (await claims.ClaimAsync(new ClaimRequest([new("q", 0)], 1, "w", 1000), TimeSpan.FromSeconds(3), CancellationToken.None))
            .ShouldBeEmpty();

        var seen = (EmptyStore)store;
        seen.NextDueAfter.ShouldNotBeEmpty();
        seen.NextDueAfter.ShouldBe(seen.ClaimedAt.Take(seen.NextDueAfter.Count));
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
