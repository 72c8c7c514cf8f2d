using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Bulk;
using TaskQueue.Engine.Search;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.Integration;

/// <summary>An engine whose operations a test carries out, by a clock that it sets.</summary>
internal sealed class BulkOperationBed : IAsyncDisposable
{
    public BulkOperationBed(TestDatabase database, Dictionary<string, string?>? settings)
    {
        Database = database;
        Engine = new TestEngine(database.Address, time: Time, settings: settings);
    }

    public TestDatabase Database { get; }

    public StillTime Time { get; } = new();

    public TestEngine Engine { get; }

    public BulkOperationService Service => Engine.Services.GetRequiredService<BulkOperationService>();

    public IBulkOperationStore Store => Engine.Services.GetRequiredService<IBulkOperationStore>();

    public async Task<Guid> SubmitAsync(string owner, string payload = """{"list":[]}""")
    {
        var id = TaskId.New(Time);
        await Engine.Tasks.SubmitAsync(new TaskSubmission(id, "q", payload) { Owner = owner, Name = "a" });
        return id;
    }

    public async Task<Guid> RunningAsync(string owner, string payload = """{"list":[]}""")
    {
        var id = await SubmitAsync(owner, payload);
        (await Engine.SendAsync(new StartTask(id, Micros.Now(Time), 1, "w", 60_000))).ShouldBe(CommandResult.Applied);
        return id;
    }

    public async Task<Guid> FailedAsync(string owner, string payload = """{"list":[]}""")
    {
        var id = await RunningAsync(owner, payload);
        (await Engine.SendAsync(new FailTask(id, Micros.Now(Time), 1, "w", "broken", retryable: false))).ShouldBe(CommandResult.Applied);
        return id;
    }

    public async Task<Guid> CompletedAsync(string owner)
    {
        var id = await RunningAsync(owner);
        (await Engine.SendAsync(new CompleteTask(id, Micros.Now(Time), 1, "w", "1"))).ShouldBe(CommandResult.Applied);
        return id;
    }

    public async Task<BulkOperation> CreateAsync(BulkAction action, IReadOnlyList<Guid> ids, Access access, string? target = null,
        string? patch = null, double? rate = null) =>
        (await Service.CreateAsync(
            new NewBulkOperation(action, new BulkSelection { Ids = ids }, target, patch, rate), access, "a", default)).ShouldNotBeNull();

    public async Task<BulkOperation> CreateAsync(BulkAction action, TaskSearch search, Access access, string? patch = null) =>
        (await Service.CreateAsync(new NewBulkOperation(action, new BulkSelection { Search = search }, null, patch, null), access, "a", default))
            .ShouldNotBeNull();

    /// <summary>Creates an operation and carries it out.</summary>
    public async Task<BulkOperation> RunAsync(
        BulkAction action, IReadOnlyList<Guid> ids, Access access, string? target = null, string? patch = null)
    {
        var operation = await CreateAsync(action, ids, access, target, patch);
        await WorkAsync();
        return await GetAsync(operation);
    }

    public async Task<BulkOperation> UndoAsync(BulkOperation operation, Access access)
    {
        (await Service.UndoAsync(operation, access, default)).ShouldBeTrue();
        await WorkAsync();
        var undone = await GetAsync(operation);
        undone.State.ShouldBe(BulkState.Undone);
        return undone;
    }

    /// <summary>Carries out what is due.</summary>
    public async Task WorkAsync()
    {
        while (await Engine.Services.GetRequiredService<BulkOperationWorker>().RunAsync(() => { }, default))
        {
        }
    }

    /// <summary>Begins a step in the name of a process that dies in it.</summary>
    public async Task BeginAsync(BulkOperation operation)
    {
        var now = Micros.Now(Time);
        var until = now + BulkOperationWorker.Lease;
        (await Store.TryLeaseAsync(operation.Id, now, until, default)).ShouldNotBeNull();
        var steps = Engine.Services.GetRequiredService<BulkSteps>();
        var step = await steps.SelectAsync(operation, BulkAccess.FromText(operation.Access), now);
        (await Store.BeginStepAsync(new BulkLease(operation.Id, until, until), step, default)).ShouldBe(until);
    }

    public async Task<BulkOperation> GetAsync(BulkOperation operation) =>
        (await Store.FindAsync(operation.Id, Access.All, default)).ShouldNotBeNull();

    public Task<TaskState?> FindAsync(Guid id) => Engine.Queries.FindAsync(id, Access.All, default);

    public async Task ShouldBeAsync(Guid id, int state) => (await FindAsync(id)).ShouldNotBeNull().State.ShouldBe(state);

    public async Task<int> CountTasksAsync()
    {
        await using var db = Database.CreateContext();
        return await db.OperationTasks.CountAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Engine.DisposeAsync();
        await Database.DisposeAsync();
    }

    /// <summary>A clock that a test sets, and that moves on by a microsecond whenever somebody looks at it.</summary>
    internal sealed class StillTime : TimeProvider
    {
        private long _ticks = System.GetUtcNow().Ticks;

        public void Step(TimeSpan step) => Interlocked.Add(ref _ticks, step.Ticks);

        public override DateTimeOffset GetUtcNow() =>
            new(Interlocked.Add(ref _ticks, TimeSpan.TicksPerMicrosecond), TimeSpan.Zero);
    }
}
