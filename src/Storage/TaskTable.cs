namespace TaskQueue.Storage;

/// <summary>
/// The tables that hold a task. Its row in <c>tasks</c> stays as it was submitted; a second row says where the task is now: waiting,
/// running or ended. A transition moves that row, so the tables that claims read hold no finished tasks.
/// </summary>
[Flags]
internal enum TaskTable
{
    /// <summary>Not stored.</summary>
    None = 0,

    /// <summary>What was asked: written once.</summary>
    Tasks = 1,

    /// <summary>Waiting tasks.</summary>
    Ready = 2,

    /// <summary>Tasks with a lease.</summary>
    Running = 4,

    /// <summary>Finished tasks.</summary>
    Outcomes = 8,
}
