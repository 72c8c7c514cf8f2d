using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>The machine behind the group commit, over a SQLite file.</summary>
public sealed class StateMachineFixture : IAsyncLifetime
{
    internal TestDatabase Database { get; private set; } = null!;

    internal TestEngine Engine { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        Engine = new TestEngine(Database.Address);
    }

    public async Task DisposeAsync()
    {
        await Engine.DisposeAsync();
        await Database.DisposeAsync();
    }

    /// <summary>
    /// A task in a state, written without the machine: due at T0, expires after an hour, in attempt 1 by worker w, with a lease of
    /// a minute; three attempts. Its events are excluded from every assertion, which reads the timeline from here on.
    /// </summary>
    internal async Task<TaskState> GivenAsync(int state, Action<TaskState>? change = null)
    {
        var task = TestTasks.New(change: t =>
        {
            t.State = state;
            t.Push = true;
            t.ExpiresAt = TestTasks.T0.AddHours(1);
            t.Attempt = 1;
            t.AttemptsLeft = 2;
            t.Worker = "w";
            t.LeaseMs = 60_000;
            t.StartedAt = TestTasks.T0;
            t.LeaseUntil = state == TaskStates.Running ? TestTasks.T0.AddMinutes(1) : null;
            t.DispatchAt = state is TaskStates.Pending or TaskStates.Retrying ? TestTasks.T0 : null;
            t.FinishedAt = TaskStates.IsTerminal(state) ? TestTasks.T0.AddSeconds(1) : null;
            t.Error = state is TaskStates.Failed or TaskStates.Retrying ? "broken" : null;
            t.Result = state == TaskStates.Completed ? "1" : null;
            change?.Invoke(t);
        });
        await Engine.Store.GivenAsync(Database, task);
        return task;
    }

    /// <summary>The events after the Submitted one that every task begins with.</summary>
    internal async Task<List<TaskEvent>> StepsAsync(Guid id) => (await Database.EventsOfAsync(id))[1..];
}
