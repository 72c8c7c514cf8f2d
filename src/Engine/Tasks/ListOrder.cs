namespace TaskQueue.Engine.Tasks;

/// <summary>
/// Tasks are claimed in the order of due time, time of acceptance and id, and ids of the server ascend. Those of a producer may not: times
/// of acceptance then keep the order of a list that was submitted in one piece.
/// </summary>
internal static class ListOrder
{
    /// <summary>
    /// Lets a task follow those before it in the list: it is accepted one microsecond after them if its id is less than that of the one
    /// before. The last is accepted now, and the others before, so that none that is due at once has to wait.
    /// </summary>
    /// <param name="tasks">The tasks, in the order of the list.</param>
    /// <param name="now">When they were accepted, and are due unless they are scheduled.</param>
    public static void Keep(List<NewTask> tasks, DateTime now)
    {
        var steps = new int[tasks.Count];
        for (var i = 1; i < steps.Length; i++)
            steps[i] = steps[i - 1] + (tasks[i].Task.CorrelationId.CompareTo(tasks[i - 1].Task.CorrelationId) < 0 ? 1 : 0);
        if (steps.Length == 0 || steps[^1] == 0)
            return;
        for (var i = 0; i < steps.Length; i++)
        {
            var task = tasks[i].Task;
            task.CreatedAt = now.AddMicroseconds(steps[i] - steps[^1]);
            if (task.DueAt == now)
                task.DueAt = task.CreatedAt;
        }
    }
}
