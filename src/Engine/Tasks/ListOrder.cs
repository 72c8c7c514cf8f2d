namespace TaskQueue.Engine.Tasks;

/// <summary>
/// Tasks are claimed in the order of due time and id, and ids of the server ascend. Those of a producer may not: due times then keep the
/// order of a list that was submitted in one piece.
/// </summary>
internal static class ListOrder
{
    /// <summary>
    /// Lets a task run after those before it in the list with the same due time: its own is one microsecond later than theirs if its id is
    /// less. Those that are due at once begin as much earlier, so that none has to wait.
    /// </summary>
    /// <param name="tasks">The tasks, in the order of the list.</param>
    /// <param name="now">When those are due that are due at once.</param>
    public static void Keep(List<NewTask> tasks, DateTime now)
    {
        if (Ascends(tasks))
            return;
        var steps = new int[tasks.Count];
        var last = new Dictionary<DateTime, (Guid Id, int Step)>();
        for (var i = 0; i < steps.Length; i++)
        {
            var task = tasks[i].Task;
            if (last.TryGetValue(task.DueAt, out var before))
                steps[i] = task.CorrelationId.CompareTo(before.Id) < 0 ? before.Step + 1 : before.Step;
            last[task.DueAt] = (task.CorrelationId, steps[i]);
        }

        var early = last.GetValueOrDefault(now).Step;
        for (var i = 0; i < steps.Length; i++)
        {
            var task = tasks[i].Task;
            task.DueAt = task.DueAt.AddMicroseconds(task.DueAt == now ? steps[i] - early : steps[i]);
        }
    }

    private static bool Ascends(List<NewTask> tasks)
    {
        for (var i = 1; i < tasks.Count; i++)
        {
            if (tasks[i].Task.CorrelationId.CompareTo(tasks[i - 1].Task.CorrelationId) < 0)
                return false;
        }

        return true;
    }
}
