using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

/// <summary>Every event in every state: the machine's answer, and the task's next state.</summary>
public sealed class TaskStateMachineTests(StateMachineFixture fixture) : IClassFixture<StateMachineFixture>
{
    /// <summary>The result of an event in its proper state: a command result, and the next state if it differs.</summary>
    private const string Table = """
                Absent          Pending           Running           Completed  Failed          Retrying          Cancelled       Expired
    Submit      Applied>Pending Duplicate         Duplicate         Duplicate  Duplicate       Duplicate         Duplicate       Duplicate
    Start       NotFound        Applied>Running   StaleAttempt      Finished   Finished        Applied>Running   Finished        Finished
    Renew       NotFound        StaleAttempt      Applied           Finished   Finished        StaleAttempt      Finished        Finished
    Complete    NotFound        StaleAttempt      Applied>Completed Duplicate  Finished        StaleAttempt      Finished        Finished
    Fail        NotFound        StaleAttempt      Applied>Retrying  Finished   Duplicate       StaleAttempt      Finished        Finished
    FailForGood NotFound        StaleAttempt      Applied>Failed    Finished   Duplicate       StaleAttempt      Finished        Finished
    Snooze      NotFound        StaleAttempt      Applied>Pending   Finished   Finished        StaleAttempt      Finished        Finished
    LeaseExpiry NotFound        NotAllowed        Applied>Retrying  Finished   Finished        NotAllowed        Finished        Finished
    Dispatch    NotFound        Applied           NotAllowed        Finished   Finished        Applied           Finished        Finished
    Expire      NotFound        Applied>Expired   NotAllowed        Finished   Finished        Applied>Expired   Finished        Finished
    Cancel      NotFound        Applied>Cancelled Applied>Cancelled Finished   Finished        Applied>Cancelled Duplicate       Finished
    Delete      NotFound        Applied>Cancelled Applied>Cancelled Applied    Applied         Applied>Cancelled Applied         Applied
    Retry       NotFound        NotAllowed        NotAllowed        NotAllowed Applied>Pending NotAllowed        Applied>Pending NotAllowed
    Change      NotFound        Applied           NotAllowed        Finished   Finished        Applied           Finished        Finished
    """;

    public static TheoryData<string, string, string> Pairs()
    {
        var rows = Table.Split('\n').Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).ToList();
        var pairs = new TheoryData<string, string, string>();
        foreach (var row in rows.Skip(1))
        {
            for (var i = 1; i < row.Length; i++)
                pairs.Add(rows[0][i - 1], row[0], row[i]);
        }

        return pairs;
    }

    [Fact]
    public void The_table_has_every_state_and_every_event_of_the_machine()
    {
        var machine = new TaskStateMachine();
        var pairs = Pairs().Select(p => (State: (string)p[0], Event: (string)p[1])).ToList();

        pairs.Select(p => p.State).Distinct().Order()
            .ShouldBe(machine.States.Select(s => s.Name).Except(["Initial", "Final"]).Append("Absent").Order());
        pairs.Select(p => p.Event).Distinct().Order()
            .ShouldBe(machine.Events.Select(e => e.Name).Where(n => n.IndexOf('.', StringComparison.Ordinal) < 0)
                .Append("FailForGood").Order());
        pairs.Count.ShouldBe(8 * 14);
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public async Task Every_event_is_answered_in_every_state(string state, string @event, string expected)
    {
        var before = state == "Absent" ? New() : await fixture.GivenAsync(Number(state));
        var answer = expected.Split('>');

        var commandResult = await fixture.Engine.SendAsync(Command(@event, before));

        commandResult.ToString().ShouldBe(answer[0]);
        var after = await fixture.Database.FindAsync(before.CorrelationId);
        if (commandResult == CommandResult.Applied)
            after.ShouldNotBeNull().State.ShouldBe(Number(answer.Length > 1 ? answer[1] : state));
        else
            after?.Describe().ShouldBe(before.Describe());
        (after is null).ShouldBe(commandResult == CommandResult.NotFound);
        (await fixture.Database.EventsOfAsync(before.CorrelationId)).Count.ShouldBe(ExpectedEvents(state, @event, commandResult));
    }

    /// <summary>
    /// Acceptance, every applied event except heartbeats, and the deletion of ended tasks are on the timeline, once.
    /// </summary>
    private static int ExpectedEvents(string state, string @event, CommandResult commandResult) =>
        (state == "Absent" ? 0 : 1)
        + (commandResult == CommandResult.Applied && @event != "Renew"
            && !(@event == "Delete" && TaskStates.IsTerminal(Number(state))) ? 1 : 0);

    private static int Number(string state) => TaskStates.Parse(state.ToLowerInvariant())!.Value;

    /// <summary>The event in its proper state: see <see cref="StateMachineFixture.GivenAsync"/>.</summary>
    private static TaskCommand Command(string @event, TaskState task)
    {
        var id = task.CorrelationId;
        var at = T0.AddSeconds(30);
        return @event switch
        {
            "Submit" => new SubmitTask(New(change: t => (t.CorrelationId, t.State) = (id, 0))),
            "Start" => new StartTask(id, at, attempt: 2, "w", 1000),
            "Renew" => new RenewLease(id, at, attempt: 1, "w"),
            "Complete" => new CompleteTask(id, at, attempt: 1, "w", "2"),
            "Fail" => new FailTask(id, at, attempt: 1, "w", "broken", retryable: true),
            "FailForGood" => new FailTask(id, at, attempt: 1, "w", "broken", retryable: false),
            "Snooze" => new SnoozeTask(id, at, attempt: 1, "w", TimeSpan.FromSeconds(5)),
            "Delete" => new DeleteTask(id, at),
            "LeaseExpiry" => new ExpireLease(id, T0.AddMinutes(1)),
            "Dispatch" => new DispatchTask(id, at),
            "Expire" => new ExpireTask(id, T0.AddHours(1)),
            "Cancel" => new CancelTask(id, at),
            "Retry" => new RetryTask(id, at),
            "Change" => new ChangeTask(id, at, new TaskChange { Payload = payload => $"[{payload}]" }),
            _ => throw new ArgumentOutOfRangeException(nameof(@event)),
        };
    }
}
