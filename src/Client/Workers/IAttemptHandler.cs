using System.Diagnostics;

namespace TaskQueue.Client;

/// <summary>What a worker does with its tasks.</summary>
internal interface IAttemptHandler
{
    /// <summary>Begins the activity of an attempt; null where nobody listens.</summary>
    Activity? StartActivity(WorkItem item);

    /// <summary>
    /// Runs an attempt until its token is cancelled at the latest. What it throws is an outcome too: the task is tried again, or
    /// given back where the token was cancelled.
    /// </summary>
    Task<TaskOutcome> RunAsync(Attempt attempt);
}
