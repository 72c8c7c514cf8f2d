using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage;

/// <summary>
/// Writes what a transition makes the row of a task forget to table <c>attempts</c>, and reads the timeline of a task from all tables.
/// </summary>
internal static class AttemptRows
{
    /// <summary>The rows to add for changed tasks.</summary>
    public static List<AttemptRow> Of(IEnumerable<TaskState> tasks) => [.. tasks.SelectMany(Of)];

    private static IEnumerable<AttemptRow> Of(TaskState task)
    {
        if (task.Events.Count == 0)
            yield break;
        AttemptRow? ended = task.Row is { FinishedAt: { } finished } row
            ? new AttemptRow
            {
                TaskId = task.CorrelationId, Attempt = task.Events[0].Attempt, End = EndOf(row.State), StartedAt = row.StartedAt,
                EndedAt = finished, Worker = task.Events[0].Worker,
                Error = row.State is TaskStates.Failed or TaskStates.Expired ? row.Error : null,
            }
            : null;
        var startedAt = task.Row?.StartedAt;
        foreach (var e in task.Events)
        {
            if (e.Kind == TaskEventType.Started)
            {
                startedAt = e.At;
            }
            else if (TaskEvent.IsTerminal(e.Kind))
            {
                ended = Of(e);
                ended.StartedAt ??= e.Attempt == 0 ? null : startedAt;
            }
            else if (e.Kind == TaskEventType.Submitted && ended is not null)
            {
                (ended.ResumedAt, ended.DueAt) = (e.At, e.DueAt);
                yield return ended;
                ended = null;
            }
            else if (e.Kind is TaskEventType.Retrying or TaskEventType.Snoozed or TaskEventType.Overwritten or TaskEventType.Dispatched)
            {
                yield return Of(e);
            }
        }
    }

    /// <summary>The timeline of a task, oldest first.</summary>
    /// <param name="task">The task.</param>
    /// <param name="firstDueAt">When it was due at first.</param>
    /// <param name="attempts">Its rows in id order, read in one snapshot with the task.</param>
    public static List<TaskEvent> Timeline(TaskState task, DateTime firstDueAt, IEnumerable<AttemptRow> attempts)
    {
        var timeline = new List<TaskEvent>();
        var started = 0; // the last attempt of which the start is listed
        Add(TaskEventType.Submitted, 0, task.CreatedAt, dueAt: task.OrderingKey is null ? firstDueAt : null); // else it was blocked
        foreach (var row in attempts)
        {
            Start(row.Attempt, row.StartedAt, row.Worker);
            Add(row.End, row.Attempt, row.EndedAt, row.Worker, row.Error, row.ResumedAt is null ? row.DueAt : null);
            if (row.ResumedAt is { } resumed)
                Add(TaskEventType.Submitted, row.Attempt, resumed, row.Worker, dueAt: row.DueAt);
        }

        Start(task.Attempt, task.StartedAt, task.Worker);
        if (task.FinishedAt is { } finished)
            Add(EndOf(task.State), task.Attempt, finished, task.Attempt == 0 ? null : task.Worker, ErrorOf(task));
        return timeline;

        void Start(int attempt, DateTime? at, string? worker)
        {
            if (attempt <= started || at is not { } start)
                return;
            started = attempt;
            Add(TaskEventType.Started, attempt, start, worker);
        }

        void Add(TaskEventType type, int attempt, DateTime at, string? worker = null, string? error = null, DateTime? dueAt = null) =>
            timeline.Add(new TaskEvent
            {
                TaskId = task.CorrelationId, Type = type, Queue = task.Queue, Tier = task.Tier, Attempt = attempt, Worker = worker,
                Error = error, At = at, DueAt = dueAt,
            });
    }

    private static string? ErrorOf(TaskState task) => task.State is TaskStates.Failed or TaskStates.Expired ? task.Error : null;

    private static AttemptRow Of(TaskEvent e) => new()
    {
        TaskId = e.TaskId, Attempt = e.Attempt, End = e.Kind, StartedAt = e.At - e.Ran, EndedAt = e.At, DueAt = e.DueAt,
        Worker = e.Worker, Error = e.Error,
    };

    private static TaskEventType EndOf(int state) => state switch
    {
        TaskStates.Completed => TaskEventType.Completed,
        TaskStates.Failed => TaskEventType.Failed,
        TaskStates.Cancelled => TaskEventType.Cancelled,
        _ => TaskEventType.Expired,
    };
}
