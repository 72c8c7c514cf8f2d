using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Contracts;

namespace TaskQueue.Engine.Queues;

/// <summary>Computes the delay between a failed attempt and the next.</summary>
public static class RetryBackoff
{
    /// <summary>2, 4, 8 … seconds, at most an hour.</summary>
    public static readonly RetryPolicy Default = new();

    /// <summary>The delay after the n-th failure of a run.</summary>
    /// <param name="policy">JSON of the task's policy; null is <see cref="Default"/>.</param>
    /// <param name="failure">Number of the failure, from 1.</param>
    /// <param name="seed">Seeds the jitter, so that recomputing the delay of a failure gives the same value.</param>
    public static TimeSpan After(string? policy, int failure, Guid seed) => After(policy is null ? Default : Parse(policy), failure, seed);

    /// <summary>
    /// The JSON of a policy as stored with a task. Null only if no policy was chosen, which a lease expiry tells from an explicit default.
    /// </summary>
    public static string? ToText(RetryPolicy? policy) =>
        policy is null ? null : JsonSerializer.Serialize(policy, RetryJson.Default.RetryPolicy);

    /// <summary>The validation error of a policy and its remedy, or null.</summary>
    public static string? Check(RetryPolicy? policy)
    {
        if (policy is null)
            return null;
        if (policy.Intervals is { } intervals)
        {
            return intervals.Count > MaxIntervals || intervals.Any(i => !(i >= 0 && i <= MaxWaitSeconds))
                ? $"retry intervals must be at most {MaxIntervals}, each 0 to {MaxWaitSeconds} seconds"
                : null;
        }

        if (!(policy.FirstSeconds >= 0 && policy.FirstSeconds <= MaxWaitSeconds)
            || !(policy.CapSeconds >= 0 && policy.CapSeconds <= MaxWaitSeconds))
            return $"retry first and cap must be 0 to {MaxWaitSeconds} seconds";
        if (!(policy.Factor >= 1 && policy.Factor <= 100))
            return "retry factor must be 1 to 100";
        return policy.Jitter is >= 0 and <= 1 ? null : "retry jitter must be 0 to 1";
    }

    private const int MaxIntervals = 100;
    private const int MaxWaitSeconds = 30 * 24 * 3600;

    private static RetryPolicy Parse(string policy) => JsonSerializer.Deserialize(policy, RetryJson.Default.RetryPolicy) ?? Default;

    private static TimeSpan After(RetryPolicy policy, int failure, Guid seed)
    {
        if (policy.Intervals is { } intervals)
            return intervals.Count == 0 ? TimeSpan.Zero : TimeSpan.FromSeconds(intervals[Math.Min(failure, intervals.Count) - 1]);
        var wait = Math.Min(policy.FirstSeconds * Math.Pow(policy.Factor, failure - 1), policy.CapSeconds);
        if (policy.Jitter > 0)
            wait *= 1 + (policy.Jitter * ((2 * new Random(unchecked((seed.GetHashCode() * 31) + failure)).NextDouble()) - 1));
        return TimeSpan.FromSeconds(Math.Min(wait, policy.CapSeconds));
    }
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(RetryPolicy))]
internal sealed partial class RetryJson : JsonSerializerContext;
