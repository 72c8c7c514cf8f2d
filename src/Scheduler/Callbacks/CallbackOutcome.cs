using System.Text.Json.Nodes;
using TaskQueue.Engine.Callbacks;

namespace TaskQueue.Scheduler.Callbacks;

/// <summary>Applies the outcome of a try to its callback.</summary>
internal static class CallbackOutcome
{
    private const string Verification = "verification";

    /// <summary>Waits after the first, second and third try (bella.md 7.2).</summary>
    private static readonly TimeSpan[] Waits = [TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(10)];

    /// <summary>How long a callback waits for its receiver to be verified before it fails.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);

    /// <summary>Records a try in the callback's log and decides the next step.</summary>
    /// <param name="callback">The claimed callback.</param>
    /// <param name="tried">Outcome of the try.</param>
    /// <param name="start">When the try began.</param>
    /// <param name="now">When the try ended.</param>
    public static void Note(Callback callback, CallbackTry tried, DateTime start, DateTime now)
    {
        var log = JsonNode.Parse(callback.Log)!.AsArray();
        var entry = new JsonObject
        {
            ["at"] = start, ["status"] = tried.Status, ["error"] = tried.Error, ["duration_ms"] = (long)(now - start).TotalMilliseconds,
        };
        if (tried.WaitsUntil is { } until)
        {
            // One entry covers the whole wait; nothing was sent, so it does not count as a try.
            if (IsWait(log.LastOrDefault()))
                log.RemoveAt(log.Count - 1);
            entry[Verification] = true;
            log.Add(entry);
            callback.Log = log.ToJsonString();
            if (now - callback.CreatedAt < LongestWait)
                callback.DueAt = until;
            else
                (callback.State, callback.FinishedAt) = (CallbackState.Failed, now);
            return;
        }

        log.Add(entry);
        callback.Log = log.ToJsonString();
        // Does not use Attempts, which also counts tries lost with their process.
        var tries = log.Count(e => !IsWait(e));
        if (tried.Again && !tried.IsDelivered && tries <= Waits.Length)
        {
            var wait = Waits[tries - 1];
            callback.DueAt = now + (tried.RetryAfter > wait ? tried.RetryAfter.Value : wait);
            return;
        }

        callback.State = tried.IsDelivered ? CallbackState.Delivered : CallbackState.Failed;
        callback.FinishedAt = now;
    }

    private static bool IsWait(JsonNode? entry) => entry?[Verification] is not null;
}
