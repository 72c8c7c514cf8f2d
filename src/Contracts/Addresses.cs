namespace TaskQueue.Contracts;

/// <summary>
/// Where messages to the engine go. Always send by <c>exchange:</c> address: a <c>queue:</c> address would declare
/// the engine's quorum queues again as classic ones, which the broker refuses.
/// </summary>
public static class Addresses
{
    /// <summary>Name of the queue that takes <see cref="SubmitTasks"/>.</summary>
    public const string SubmitQueue = "taskqueue-submit";

    /// <summary>Name of the queue that takes <see cref="ReportTasks"/>.</summary>
    public const string ReportQueue = "taskqueue-report";

    /// <summary>
    /// Exchange that tells the workers of a push queue which attempts ended without them, or went to another worker:
    /// <see cref="TasksCancelled"/>, <see cref="TasksFailed"/> and <see cref="TasksRetrying"/> of that queue alone.
    /// </summary>
    public static string EndedOf(string queue) => queue + ".ended";

    /// <summary>Where producers send <see cref="SubmitTasks"/>.</summary>
    public static Uri Submit { get; } = new("exchange:" + SubmitQueue);

    /// <summary>Where workers send <see cref="ReportTasks"/>.</summary>
    public static Uri Report { get; } = new("exchange:" + ReportQueue);
}
