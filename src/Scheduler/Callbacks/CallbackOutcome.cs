using System.Text.Json.Nodes;
using TaskQueue.Engine.Callbacks;

namespace TaskQueue.Scheduler.Callbacks;

/// <summary>What a try means for its callback.</summary>
internal static class CallbackOutcome
{
    /// <summary>Waits after the first, second and third try (bella.md 7.2).</summary>
    private static readonly TimeSpan[] Waits = [TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(10)];

    /// <summary>Writes a try into the log of its callback, and decides what comes next.</summary>
    /// <param name="callback">As it was taken.</param>
    /// <param name="tried">How the try ended.</param>
    /// <param name="start">When it began.</param>
    /// <param name="now">When it ended.</param>
    public static void Note(Callback callback, CallbackTry tried, DateTime start, DateTime now)
    {
        var log = JsonNode.Parse(callback.Log)!.AsArray();
        log.Add(new JsonObject
        {
            ["at"] = start, ["status"] = tried.Status, ["error"] = tried.Error, ["duration_ms"] = (long)(now - start).TotalMilliseconds,
        });
        callback.Log = log.ToJsonString();
        // Not the attempts: among them are those that a process took with it when it ended.
        if (tried.Again && !tried.IsDelivered && log.Count <= Waits.Length)
        {
            var wait = Waits[log.Count - 1];
            callback.DueAt = now + (tried.RetryAfter > wait ? tried.RetryAfter.Value : wait);
            return;
        }

        callback.State = tried.IsDelivered ? CallbackState.Delivered : CallbackState.Failed;
        callback.FinishedAt = now;
    }
}
