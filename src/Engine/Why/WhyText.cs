using System.Globalization;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Why;

/// <summary>Sentences about tasks, with no values of theirs.</summary>
internal static class WhyText
{
    /// <summary>A time.</summary>
    public static string At(DateTime time) => time.ToString("yyyy-MM-dd HH:mm:ss.FFF 'UTC'", CultureInfo.InvariantCulture);

    /// <summary>A number of tasks.</summary>
    public static string Tasks(long count) => count == 1 ? "1 task" : string.Create(CultureInfo.InvariantCulture, $"{count} tasks");

    /// <summary>A queue and tier, as workers name it.</summary>
    public static string Tier(TaskState task) => task.Tier == 0 ? task.Queue : $"{task.Queue}:{task.Tier}";

    /// <summary>A task whose row cannot be processed.</summary>
    public static string SetAside(DateTime? at, TaskState task)
    {
        var what = WaitingView.ParkedAs(task) switch
        {
            QuarantineKinds.Lease => "Its lease is over and could not be ended",
            QuarantineKinds.Dispatch => "It could not be sent to its workers",
            _ => "It expired and could not be ended",
        };
        return $"{what}, so it was set aside{(at is { } time ? $" at {At(time)}" : "")}: release or drop its item in the quarantine.";
    }

    /// <summary>A running task.</summary>
    public static string Running(TaskState task) =>
        $"Worker {task.Worker} has run attempt {task.Attempt} since {At(task.StartedAt ?? task.DueAt)}"
            + (task.LeaseUntil is { } lease ? $"; its lease ends at {At(lease)}, unless a heartbeat renews it." : ".");

    /// <summary>A task that has ended.</summary>
    public static string Ended(TaskState task, DateTime now)
    {
        var at = At(task.FinishedAt ?? now);
        var retry = task.Dead ? " It is a dead letter, which can be retried." : "";
        return task.State switch
        {
            TaskStates.Completed => $"It completed at {at}.",
            TaskStates.Cancelled => $"It was cancelled at {at}.",
            TaskStates.Expired => $"It expired, and ended at {at}.",
            _ when QuarantineError.Crashes(task.Error) is { } crashes =>
                $"It was quarantined at {at}: {crashes} workers were lost while they ran it.{retry}",
            _ => $"It failed at {at}, with attempt {task.Attempt}.{retry}",
        };
    }
}
