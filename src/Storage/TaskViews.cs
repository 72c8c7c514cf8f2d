namespace TaskQueue.Storage;

/// <summary>The views that join the row of a task in <c>tasks</c> with the one that says where it is now. Reads use them.</summary>
internal static class TaskViews
{
    internal const string All = "all_tasks", Waiting = "waiting_tasks", Running = "running_tasks", Ended = "ended_tasks";

    /// <summary>Names of all views.</summary>
    public static readonly string[] Names = [Waiting, Running, Ended, All];

    /// <summary>A select list of columns that are in a table, in <c>tasks</c>, or have the same value for all its rows.</summary>
    public static string Select(IEnumerable<TaskColumn> columns, TaskTable table, Func<TaskColumn, string> missing, string row = "r.",
        string cold = "t.") =>
        string.Join(", ", columns.Select(c =>
            c.IsIn(table) ? row + c.Name
            : c.IsIn(TaskTable.Tasks) ? cold + c.Name
            : $"{(c.Name == "state" ? SqlStates.Running : missing(c))} as {c.Name}"));

    /// <summary>The select list of <see cref="TaskColumn.Loaded"/>, in which a value that may be long is null unless it fits.</summary>
    /// <param name="table">The table of row r.</param>
    /// <param name="select">Selects a column.</param>
    /// <param name="fits">The condition that a value is short enough.</param>
    public static string SelectLoaded(TaskTable table, Func<TaskColumn, string> select, Func<string, string> fits) =>
        string.Join(", ", TaskColumn.Loaded.Select(c => c.MayBeLong && c.IsIn(table)
            ? $"case when {fits($"r.{c.Name}")} then r.{c.Name} end as {c.Name}" : select(c)));
}
