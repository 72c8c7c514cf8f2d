using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Contracts;
using TaskQueue.Http.Errors;

namespace TaskQueue.Api.Tasks;

/// <summary>Retry policy: a list of intervals, or exponential backoff.</summary>
/// <param name="Intervals">Seconds after the first, second, … failure; the last one repeats. Allows one attempt more than intervals
/// unless max_attempts is given.</param>
/// <param name="First">Exponential: seconds after the first failure; default 2.</param>
/// <param name="Factor">Exponential: growth factor, 1 to 100; default 2.</param>
/// <param name="Cap">Exponential: maximum delay in seconds; default 3,600.</param>
/// <param name="Jitter">Exponential: fraction by which a delay varies, 0 to 1; default 0.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record RetryBody(IReadOnlyList<double>? Intervals, double? First, double? Factor, double? Cap, double? Jitter);

/// <summary>Maps between the body and the engine's policy.</summary>
internal static class RetryBodies
{
    /// <exception cref="ApiException">400.</exception>
    public static RetryPolicy Read(JsonElement retry)
    {
        try
        {
            if (retry.ValueKind == JsonValueKind.Object)
                return ToPolicy(retry.Deserialize(TaskJson.Instance.RetryBody))!;
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            // Reported below.
        }

        throw new ApiException(400, "invalid_task",
            "retry must be {\"intervals\": [seconds, …]} or {\"first\", \"factor\", \"cap\", \"jitter\"}");
    }

    public static RetryPolicy? ToPolicy(RetryBody? body) =>
        body is null ? null : body.Intervals is not null
            ? new RetryPolicy { Intervals = body.Intervals }
            : new RetryPolicy { FirstSeconds = body.First ?? 2, Factor = body.Factor ?? 2,
                CapSeconds = body.Cap ?? 3600, Jitter = body.Jitter ?? 0 };

    public static RetryBody? ToBody(RetryPolicy? policy) =>
        policy is null ? null : policy.Intervals is not null
            ? new RetryBody(policy.Intervals, null, null, null, null)
            : new RetryBody(null, policy.FirstSeconds, policy.Factor, policy.CapSeconds, policy.Jitter);
}
