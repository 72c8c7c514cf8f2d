using TaskQueue.Engine.Statistics;

namespace TaskQueue.Engine.Tasks;

/// <summary>What an event counts as in the statistics.</summary>
internal static class TaskStatistics
{
    /// <summary>Counts the events of written tasks.</summary>
    public static void Count(StatisticsCounter counter, IReadOnlyList<TaskState> written)
    {
        using var group = counter.Begin();
        foreach (var task in written)
        {
            foreach (var e in task.Events)
            {
                if (PlaceOf(e.Kind) is >= 0 and var place)
                    group.Add(task.Queue, task.Owner, place, e.At);
                if (e.Ran is { } ran && e.Kind != TaskEventType.Snoozed)
                    group.AddRun(task.Queue, task.Owner, e.At, ran);
            }
        }
    }

    private static int PlaceOf(TaskEventType type) => type switch
    {
        TaskEventType.Submitted => StatisticsCounts.Submitted,
        TaskEventType.Started => StatisticsCounts.Started,
        TaskEventType.Completed => StatisticsCounts.Completed,
        TaskEventType.Failed => StatisticsCounts.Failed,
        TaskEventType.Retrying => StatisticsCounts.Retried,
        TaskEventType.Cancelled => StatisticsCounts.Cancelled,
        TaskEventType.Expired => StatisticsCounts.Expired,
        _ => -1, // not a step that is counted, such as a dispatch
    };
}
