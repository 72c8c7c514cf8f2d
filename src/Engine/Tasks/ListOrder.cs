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
        var at = now;
        for (var i = tasks.Count - 2; i >= 0; i--)
        {
            var task = tasks[i].Task;
            if (tasks[i + 1].Task.CorrelationId.CompareTo(task.CorrelationId) < 0)
                at = at.AddMicroseconds(-1);
            if (at == now)
                continue;
            if (task.DueAt == now)
                task.DueAt = at;
            task.CreatedAt = at;
        }
    }
}
