using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage;

/// <summary>Changed tasks whose row moves from one table to another, or stays in its own.</summary>
/// <param name="From">Where a row was found.</param>
/// <param name="To">Where it belongs now.</param>
/// <param name="Tasks">The tasks.</param>
internal sealed record TaskMove(TaskTable From, TaskTable To, IReadOnlyList<TaskState> Tasks)
{
    /// <summary>The moves of a group, each task in one of them.</summary>
    public static List<TaskMove> Of(IEnumerable<TaskState> tasks) =>
        [.. tasks.GroupBy(t => (From: TableOf(t.Row!.State), To: TableOf(t.State)))
            .OrderBy(g => g.Key).Select(g => new TaskMove(g.Key.From, g.Key.To, [.. g]))];

    /// <summary>The table that has the row of a task in a state.</summary>
    public static TaskTable TableOf(int state) => state switch
    {
        TaskStates.Pending or TaskStates.Retrying => TaskTable.Ready,
        TaskStates.Running => TaskTable.Running,
        _ => TaskTable.Outcomes,
    };

    /// <summary>Name of a table.</summary>
    public static string NameOf(TaskTable table) => table switch
    {
        TaskTable.Ready => TaskTables.Ready,
        TaskTable.Running => TaskTables.Running,
        TaskTable.Outcomes => TaskTables.Outcomes,
        _ => TaskTables.Cold,
    };

    /// <summary>Bytes of an error that is loaded with others: at most 4 MiB in a group.</summary>
    private const int LongError = 16 * 1024;

    /// <summary>Maximum bytes of an error in a load of some tasks.</summary>
    public static int MaxErrorBytes(int tasks) => tasks == 1 ? int.MaxValue : LongError;

    /// <summary>Remembers the stored row of a task that was loaded for a transition.</summary>
    public static TaskState Loaded(TaskState task, uint version = 0, bool isPartial = false)
    {
        task.IsPartial = isPartial;
        task.Row = new StoredRow(task.State, version, task.FinishedAt, task.StartedAt, task.Error);
        return task;
    }
}
