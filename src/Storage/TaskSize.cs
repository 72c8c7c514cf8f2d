using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage;

/// <summary>Measures what a claim reads of a task.</summary>
internal static class TaskSize
{
    /// <summary>Sets <see cref="TaskState.Octets"/> of tasks as they are stored.</summary>
    public static void Measure(IEnumerable<TaskState> tasks)
    {
        foreach (var task in tasks)
            task.Octets = (int)TaskClaimer.BytesOf(task);
    }
}
