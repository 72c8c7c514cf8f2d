namespace TaskQueue.Contracts;

/// <summary>
/// Addresses of messages to the engine. Always send to an <c>exchange:</c> address: a <c>queue:</c> address would redeclare the engine's
/// quorum queues as classic ones, which the broker rejects.
/// </summary>
public static class Addresses
{
    /// <summary>Queue that receives <see cref="SubmitTasks"/>.</summary>
    public const string SubmitQueue = "taskqueue-submit";

    /// <summary>Queue that receives <see cref="ReportTasks"/>.</summary>
    public const string ReportQueue = "taskqueue-report";

    /// <summary>
    /// Exchange that notifies the workers of a push queue of attempts that ended without them or went to another worker:
    /// <see cref="TasksCancelled"/>, <see cref="TasksFailed"/> and <see cref="TasksRetrying"/> of that queue only.
    /// </summary>
    public static string EndedOf(string queue) => queue + ".ended";

    /// <summary>Address to which producers send <see cref="SubmitTasks"/>.</summary>
    public static Uri Submit { get; } = new("exchange:" + SubmitQueue);

    /// <summary>Address to which workers send <see cref="ReportTasks"/>.</summary>
    public static Uri Report { get; } = new("exchange:" + ReportQueue);
}
