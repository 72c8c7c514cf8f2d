using System.Diagnostics;

namespace TaskQueue.Client;

/// <summary>Runs the attempts of a worker.</summary>
internal interface IAttemptHandler
{
    /// <summary>Starts the activity of an attempt; null if there is no listener.</summary>
    Activity? StartActivity(WorkItem item);

    /// <summary>
    /// Runs an attempt, at most until its token is cancelled. An exception is an outcome too: the task is retried, or released if
    /// the token was cancelled.
    /// </summary>
    Task<TaskOutcome> RunAsync(Attempt attempt);
}
