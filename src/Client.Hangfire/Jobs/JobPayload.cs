using System.Text.Json;
using System.Text.Json.Serialization;

namespace TaskQueue.Client;

/// <summary>A call as the data of a task, similar to Hangfire's invocation data.</summary>
internal sealed record JobPayload
{
    /// <summary>The format that this version writes and reads.</summary>
    public const int Current = 1;

    /// <summary>Version of the format.</summary>
    [JsonPropertyName("hangfire")]
    public int Format { get; init; }

    /// <summary>See <see cref="JobNames.Of"/>.</summary>
    public string? Type { get; init; }

    public string? Method { get; init; }

    /// <summary>Types of the parameters.</summary>
    public IReadOnlyList<string>? Parameters { get; init; }

    /// <summary>Arguments as JSON text; null is none, or one that the worker provides.</summary>
    public IReadOnlyList<string?>? Arguments { get; init; }

    /// <summary>Job parameters that filters have set, as JSON text.</summary>
    public IReadOnlyDictionary<string, string?>? Context { get; init; }

    /// <summary>The job that must have ended before this one runs; null if there is none.</summary>
    public Guid? Parent { get; init; }

    /// <summary>Of a continuation, how its parent must have ended: see <see cref="Hangfire.JobContinuationOptions"/>.</summary>
    public int? ContinueOn { get; init; }

    public string ToJson() => JsonSerializer.Serialize(this, JobPayloadJson.Default.JobPayload);

    /// <summary>Reads the payload of a task.</summary>
    /// <exception cref="JobRefusedException">It is not the payload of a job.</exception>
    /// <exception cref="NotSupportedException">A newer version wrote it; another worker may be able to read it.</exception>
    public static JobPayload Read(TaskContext task)
    {
        JobPayload payload;
        try
        {
            payload = task.Read(JobPayloadJson.Default.JobPayload);
        }
        catch (JsonException fault)
        {
            throw new JobRefusedException($"the task is not a job: {fault.Message}");
        }

        if (payload.Format > Current)
            throw new NotSupportedException($"the job has format {payload.Format}, and this worker reads {Current}: update its package "
                + "TaskQueue.Client.Hangfire");
        if (payload.Format < 1 || payload.Type is null || payload.Method is null)
            throw new JobRefusedException("the task is not a job: it has no hangfire, type and method");
        return payload;
    }
}

/// <summary>A worker does not run a job, and a retry would not change that.</summary>
/// <param name="message">Why, and what to change.</param>
internal sealed class JobRefusedException(string message) : Exception(message);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(JobPayload))]
internal sealed partial class JobPayloadJson : JsonSerializerContext;
