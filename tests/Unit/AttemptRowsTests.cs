using Shouldly;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Unit;

/// <summary>The timeline of a task from its row and from what its earlier attempts left behind.</summary>
public sealed class AttemptRowsTests
{
    private readonly List<AttemptRow> _rows = [];
    private TaskState _task = New(change: t => t.DueAt = At(3));

    [Fact]
    public void A_waiting_task_was_submitted()
    {
        Timeline().ShouldBe(["Submitted 0 at 0 due 3"]);
    }

    [Fact]
    public void A_running_attempt_was_started()
    {
        Start(5, "anna");

        Timeline().ShouldBe(["Submitted 0 at 0 due 3", "Started 1 at 5 by anna"]);
        _rows.ShouldBeEmpty("the row of the task shows it");
    }

    [Theory]
    [InlineData(TaskStates.Completed, TaskEventType.Completed, null)]
    [InlineData(TaskStates.Failed, TaskEventType.Failed, "broken")]
    [InlineData(TaskStates.Expired, TaskEventType.Expired, "broken")]
    [InlineData(TaskStates.Cancelled, TaskEventType.Cancelled, null)]
    public void An_attempt_that_ended_the_task_is_last(int state, TaskEventType type, string? error)
    {
        Start(5, "anna");
        End(9, state, type, error);

        Timeline().ShouldBe(["Submitted 0 at 0 due 3", "Started 1 at 5 by anna", $"{type} 1 at 9 by anna{Error(error)}"]);
        _rows.ShouldBeEmpty("the row of the task shows it");
    }

    [Fact]
    public void A_task_that_never_started_ends_without_a_worker()
    {
        End(4, TaskStates.Cancelled, TaskEventType.Cancelled);

        Timeline().ShouldBe(["Submitted 0 at 0 due 3", "Cancelled 0 at 4"]);
    }

    [Fact]
    public void Every_attempt_is_listed_with_its_worker_and_its_error()
    {
        Start(5, "anna");
        WaitAgain(6, TaskEventType.Retrying, due: 8, "one");
        Start(9, "ben");
        WaitAgain(10, TaskEventType.Retrying, due: 20, "two");
        Timeline()[^1].ShouldBe("Retrying 2 at 10 due 20 by ben: two");
        Start(21, "carl");
        End(22, TaskStates.Completed, TaskEventType.Completed);

        Timeline().ShouldBe(
        [
            "Submitted 0 at 0 due 3",
            "Started 1 at 5 by anna", "Retrying 1 at 6 due 8 by anna: one",
            "Started 2 at 9 by ben", "Retrying 2 at 10 due 20 by ben: two",
            "Started 3 at 21 by carl", "Completed 3 at 22 by carl",
        ]);
        _rows.Select(r => (r.Attempt, r.End, r.StartedAt, r.EndedAt, r.DueAt, r.Worker, r.Error)).ShouldBe(
        [
            (1, TaskEventType.Retrying, At(5), At(6), At(8), "anna", "one"),
            (2, TaskEventType.Retrying, At(9), At(10), At(20), "ben", "two"),
        ]);
    }

    [Fact]
    public void What_happens_to_a_waiting_task_is_listed()
    {
        Change(1, TaskEventType.Overwritten, t => t.DueAt = At(7));
        Change(7, TaskEventType.Dispatched);
        Start(8, "anna");
        WaitAgain(9, TaskEventType.Snoozed, due: 30);
        Change(30, TaskEventType.Dispatched);
        Start(31, "ben");

        Timeline().ShouldBe(
        [
            "Submitted 0 at 0 due 3", "Overwritten 0 at 1 due 7", "Dispatched 0 at 7 due 7", "Started 1 at 8 by anna",
            "Snoozed 1 at 9 due 30 by anna", "Dispatched 1 at 30 due 30 by anna", "Started 2 at 31 by ben",
        ]);
    }

    [Fact]
    public void A_retry_by_hand_keeps_how_the_task_had_ended()
    {
        Start(5, "anna");
        End(6, TaskStates.Failed, TaskEventType.Failed, "one");
        Resume(8, due: 12);
        Timeline().ShouldBe(
        [
            "Submitted 0 at 0 due 3", "Started 1 at 5 by anna", "Failed 1 at 6 by anna: one", "Submitted 1 at 8 due 12 by anna",
        ]);
        Start(13, "ben");
        End(14, TaskStates.Completed, TaskEventType.Completed);

        Timeline()[^2..].ShouldBe(["Started 2 at 13 by ben", "Completed 2 at 14 by ben"]);
        Timeline().Count.ShouldBe(6);
    }

    [Fact]
    public void A_task_may_be_retried_by_hand_again_and_again()
    {
        End(1, TaskStates.Cancelled, TaskEventType.Cancelled);
        Resume(2, due: 2);
        End(3, TaskStates.Cancelled, TaskEventType.Cancelled);
        Resume(4, due: 4);

        Timeline().ShouldBe(
        [
            "Submitted 0 at 0 due 3", "Cancelled 0 at 1", "Submitted 0 at 2 due 2", "Cancelled 0 at 3", "Submitted 0 at 4 due 4",
        ]);
    }

    [Fact]
    public void A_cancellation_does_not_show_the_error_of_the_attempt_before_it()
    {
        Start(5, "anna");
        WaitAgain(6, TaskEventType.Retrying, due: 8, "one");
        End(7, TaskStates.Cancelled, TaskEventType.Cancelled, _task.Error);
        Timeline()[^1].ShouldBe("Cancelled 1 at 7 by anna");
        Resume(9, due: 9);

        Timeline()[^2].ShouldBe("Cancelled 1 at 7 by anna");
    }

    [Fact]
    public void An_end_and_a_retry_by_hand_in_one_transaction_are_both_listed()
    {
        Start(5, "anna");
        Load();
        (_task.State, _task.Error, _task.FinishedAt) = (TaskStates.Failed, "one", At(6));
        _task.Record(TaskEventType.Failed, At(6));
        (_task.State, _task.Error, _task.FinishedAt, _task.DueAt) = (TaskStates.Pending, null, null, At(7));
        _task.Record(TaskEventType.Submitted, At(7));
        Save();

        Timeline().ShouldBe(
        [
            "Submitted 0 at 0 due 3", "Started 1 at 5 by anna", "Failed 1 at 6 by anna: one", "Submitted 1 at 7 due 7 by anna",
        ]);
    }

    [Fact]
    public void All_that_happened_in_one_instant_is_listed()
    {
        Start(5, "anna");
        End(6, TaskStates.Failed, TaskEventType.Failed, "one");
        Resume(6, due: 6);
        End(6, TaskStates.Cancelled, TaskEventType.Cancelled);

        Timeline().ShouldBe(
        [
            "Submitted 0 at 0 due 3", "Started 1 at 5 by anna", "Failed 1 at 6 by anna: one", "Submitted 1 at 6 due 6 by anna",
            "Cancelled 1 at 6 by anna",
        ]);
    }

    [Theory]
    [InlineData(EventPolicy.All)]
    [InlineData(EventPolicy.Terminal)]
    [InlineData(EventPolicy.None)]
    public void The_event_policy_of_the_queue_changes_no_timeline(EventPolicy policy)
    {
        _task.Settings = QueueSettings.Default with { Events = policy };
        Start(5, "anna");
        WaitAgain(6, TaskEventType.Retrying, due: 8, "one");
        Start(9, "ben");
        End(10, TaskStates.Failed, TaskEventType.Failed, "two");
        Resume(11, due: 11);

        Timeline().ShouldBe(
        [
            "Submitted 0 at 0 due 3", "Started 1 at 5 by anna", "Retrying 1 at 6 due 8 by anna: one", "Started 2 at 9 by ben",
            "Failed 2 at 10 by ben: two", "Submitted 2 at 11 due 11 by ben",
        ]);
    }

    [Fact]
    public void A_heartbeat_leaves_no_row()
    {
        Start(5, "anna");
        Load();
        _task.LeaseUntil = At(60);
        Save();

        _rows.ShouldBeEmpty();
    }

    private static DateTime At(double seconds) => T0.AddSeconds(seconds);

    private static string Error(string? error) => error is null ? "" : $": {error}";

    private void Start(double at, string worker)
    {
        Load();
        (_task.State, _task.Worker, _task.StartedAt) = (TaskStates.Running, worker, At(at));
        _task.Attempt++;
        _task.Record(TaskEventType.Started, At(at));
        Save();
    }

    private void WaitAgain(double at, TaskEventType type, double due, string? error = null)
    {
        Load();
        (_task.State, _task.DueAt, _task.Error) =
            (type == TaskEventType.Retrying ? TaskStates.Retrying : TaskStates.Pending, At(due), error);
        _task.Record(type, At(at));
        Save();
    }

    private void Change(double at, TaskEventType type, Action<TaskState>? change = null)
    {
        Load();
        change?.Invoke(_task);
        _task.Record(type, At(at));
        Save();
    }

    private void End(double at, int state, TaskEventType type, string? error = null)
    {
        Load();
        (_task.State, _task.FinishedAt, _task.Error) = (state, At(at), error);
        _task.Record(type, At(at));
        Save();
    }

    private void Resume(double at, double due)
    {
        Load();
        (_task.State, _task.FinishedAt, _task.Error, _task.DueAt) = (TaskStates.Pending, null, null, At(due));
        _task.Record(TaskEventType.Submitted, At(at));
        Save();
    }

    /// <summary>A transition begins with the stored row, without the events before it.</summary>
    private void Load()
    {
        var stored = new TaskState { Settings = _task.Settings };
        foreach (var property in typeof(TaskState).GetProperties().Where(p => p.SetMethod is { IsPublic: true }))
            property.SetValue(stored, property.GetValue(_task));
        _task = TaskMove.Loaded(stored);
    }

    private void Save() => _rows.AddRange(AttemptRows.Of([_task]));

    private List<string> Timeline() =>
        AttemptRows.Timeline(_task, At(3), _rows).ConvertAll(e =>
            $"{e.Type} {e.Attempt} at {(e.At - T0).TotalSeconds}{(e.DueAt is { } due ? $" due {(due - T0).TotalSeconds}" : "")}"
                + $"{(e.Worker is null ? "" : $" by {e.Worker}")}{Error(e.Error)}");
}
