using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace TaskQueue.Client;

/// <summary>What a processor says of its task. To have it tried again, throw.</summary>
public sealed record TaskOutcome
{
    private static readonly TimeSpan MaxDelay = TimeSpan.FromDays(30);

    private TaskOutcome()
    {
    }

    internal string? Result { get; private init; }

    /// <summary>Null is success.</summary>
    internal string? Error { get; private init; }

    internal bool Retryable { get; private init; }

    /// <summary>Null where the attempt ended.</summary>
    internal TimeSpan? Delay { get; private init; }

    /// <summary>The task is done, and has no result.</summary>
    public static TaskOutcome Completed() => new();

    /// <summary>The task is done.</summary>
    /// <param name="resultJson">JSON text of the result; null is none.</param>
    public static TaskOutcome Completed(string? resultJson)
    {
        if (resultJson is not null)
            JsonText.Check(resultJson, nameof(resultJson));
        return new TaskOutcome { Result = resultJson };
    }

    /// <summary>The task is done.</summary>
    /// <param name="value">The result.</param>
    /// <param name="type">How it is written.</param>
    /// <typeparam name="T">Type of the result.</typeparam>
    public static TaskOutcome Completed<T>(T value, JsonTypeInfo<T> type) => new() { Result = JsonSerializer.Serialize(value, type) };

    /// <summary>The task failed for good: it is not tried again.</summary>
    /// <param name="error">Why.</param>
    public static TaskOutcome Failed(string error)
    {
        ArgumentNullException.ThrowIfNull(error);
        return new TaskOutcome { Error = error };
    }

    /// <summary>The task goes back and runs again later; no attempt is counted.</summary>
    /// <param name="delay">Up to 30 days; zero is at once.</param>
    public static TaskOutcome Snooze(TimeSpan delay)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(delay, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(delay, MaxDelay);
        return new TaskOutcome { Delay = delay };
    }

    /// <summary>The task is done.</summary>
    /// <param name="json">JSON text, which is not checked; null is none.</param>
    internal static TaskOutcome CompletedUnchecked(string? json) => new() { Result = json };

    /// <summary>The outcome as it is reported.</summary>
    internal TaskOutcome Encode(ITaskPayloadCodec? codec) =>
        codec is null || Result is not { } result ? this : this with { Result = codec.Encode(TaskText.Result, result) };

    /// <summary>A processor threw: the task is tried again while attempts are left.</summary>
    internal static TaskOutcome Threw(string error) => new() { Error = error, Retryable = true };
}
