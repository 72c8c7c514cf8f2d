using System.Text.Json;
using Hangfire;

namespace TaskQueue.Client;

/// <summary>
/// Continuations. A continuation is a task from the beginning, so it cannot get lost: while its parent has not ended, the worker snoozes
/// it, which counts as no attempt.
/// </summary>
internal static class Continuations
{
    /// <summary>Result of a continuation that was skipped: to those that continue it, it was deleted, as in Hangfire.</summary>
    private const string Skipped = """{"$hangfire":"skipped"}""";

    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(1), Longest = TimeSpan.FromMinutes(5);

    /// <summary>Looks at the parent of a continuation.</summary>
    /// <returns>Null if the continuation may run.</returns>
    public static async Task<TaskOutcome?> CheckAsync(
        TaskQueueClient client, Guid parent, JobContinuationOptions on, TimeSpan age, TaskContext task, CancellationToken cancellationToken)
    {
        TaskInfo? found;
        try
        {
            found = await client.GetAsync(parent, cancellationToken);
        }
        catch (TaskQueueException fault) when (fault.IsTransient)
        {
            return TaskOutcome.Snooze(Pause(age)); // an outage of the server is no failure of the job
        }

        return found?.Status switch
        {
            null => TaskOutcome.Failed($"its parent {parent} is not known any more, so nobody can tell how it ended: enqueue the job again "
                + "if it should run"),
            QueuedTaskStatus.Completed when IsSkipped(found) =>
                Decide(on, JobContinuationOptions.OnlyOnDeletedState, "was skipped", task),
            QueuedTaskStatus.Completed => Decide(on, JobContinuationOptions.OnlyOnSucceededState, "succeeded", task),
            QueuedTaskStatus.Cancelled or QueuedTaskStatus.Expired =>
                Decide(on, JobContinuationOptions.OnlyOnDeletedState, "was deleted", task),
            _ => TaskOutcome.Snooze(Pause(age)), // also if it failed: it may be requeued
        };
    }

    /// <summary>A quarter of the time that it has waited.</summary>
    internal static TimeSpan Pause(TimeSpan age) => age / 4 < Shortest ? Shortest : age / 4 > Longest ? Longest : age / 4;

    private static TaskOutcome? Decide(JobContinuationOptions on, JobContinuationOptions ended, string how, TaskContext task)
    {
        if (on == JobContinuationOptions.OnAnyFinishedState || on.HasFlag(ended))
            return null;
        task.Log($"skipped: its parent {how}");
        return TaskOutcome.CompletedJson(Skipped);
    }

    /// <summary>Whether a task is a continuation that did not run.</summary>
    internal static bool IsSkipped(TaskInfo task) =>
        task is { Status: QueuedTaskStatus.Completed, Result: { ValueKind: JsonValueKind.Object } result }
        && result.TryGetProperty("$hangfire", out var how) && how.ValueKind == JsonValueKind.String && how.ValueEquals("skipped");
}
