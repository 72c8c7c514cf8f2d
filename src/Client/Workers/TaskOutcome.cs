using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>Outcome of a processor. Throw to have the task retried.</summary>
public sealed record TaskOutcome
{
    private static readonly TimeSpan MaxDelay = TimeSpan.FromDays(30);

    private TaskOutcome()
    {
    }

    /// <summary>Whether the task completed.</summary>
    public bool IsCompleted => Error is null && Delay is null;

    /// <summary>JSON text of the result of a completed task; null if it has none.</summary>
    public string? Result { get; private init; }

    /// <summary>Why the attempt failed; null if it did not.</summary>
    public string? Error { get; private init; }

    /// <summary>Class of the exception that the processor threw, or null.</summary>
    public string? ErrorType { get; private init; }

    /// <summary>Stack of the exception that the processor threw.</summary>
    internal string? Stack { get; private init; }

    /// <summary>Whether a failed attempt is followed by another while attempts are left.</summary>
    public bool Retryable { get; private init; }

    /// <summary>How long the next attempt waits after a failed one; null: as the retry policy says.</summary>
    public TimeSpan? RetryAfter { get; private init; }

    /// <summary>For how long the task is snoozed; null if it is not.</summary>
    public TimeSpan? Delay { get; private init; }

    /// <summary>The task completed without a result.</summary>
    public static TaskOutcome Completed() => new();

    /// <summary>The task completed with a value; a text becomes a JSON string. See <see cref="CompletedJson"/> for JSON text.</summary>
    /// <param name="value">The result.</param>
    /// <typeparam name="T">Type of the result.</typeparam>
    [RequiresUnreferencedCode(ReflectedJson.Limit)]
    [RequiresDynamicCode(ReflectedJson.Limit)]
    public static TaskOutcome Completed<T>(T value) => Completed(value, ReflectedJson.Of<T>());

    /// <summary>The task completed with a result that is JSON text already; it is checked here.</summary>
    /// <param name="resultJson">Result as JSON text; null: none.</param>
    /// <exception cref="ArgumentException">It is not JSON text.</exception>
    public static TaskOutcome CompletedJson(string? resultJson)
    {
        if (resultJson is not null)
            JsonText.Check(resultJson, nameof(resultJson));
        return new TaskOutcome { Result = resultJson };
    }

    /// <summary>The task completed.</summary>
    /// <param name="value">The result.</param>
    /// <param name="type">Serialization metadata.</param>
    /// <typeparam name="T">Type of the result.</typeparam>
    public static TaskOutcome Completed<T>(T value, JsonTypeInfo<T> type) => new() { Result = JsonSerializer.Serialize(value, type) };

    /// <summary>The task failed permanently and is not retried.</summary>
    /// <param name="error">Why it failed.</param>
    public static TaskOutcome Failed(string error)
    {
        ArgumentNullException.ThrowIfNull(error);
        return new TaskOutcome { Error = error };
    }

    /// <summary>The attempt failed; the task is retried while attempts are left, as after an exception.</summary>
    /// <param name="error">Why it failed.</param>
    /// <param name="after">When the next attempt may start: up to 30 days from now; null: as the retry policy says.</param>
    public static TaskOutcome Retry(string error, TimeSpan? after = null)
    {
        ArgumentNullException.ThrowIfNull(error);
        if (after is { } delay)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(delay, TimeSpan.Zero, nameof(after));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(delay, MaxDelay, nameof(after));
        }

        return Threw(error) with { RetryAfter = after };
    }

    /// <summary>Snoozes the task: it runs again later, and no attempt is counted.</summary>
    /// <param name="delay">Up to 30 days; zero: immediately.</param>
    public static TaskOutcome Snooze(TimeSpan delay)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(delay, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(delay, MaxDelay);
        return new TaskOutcome { Delay = delay };
    }

    /// <summary>The task completed.</summary>
    /// <param name="json">Result as JSON text, not validated; null: none.</param>
    internal static TaskOutcome CompletedUnchecked(string? json) => new() { Result = json };

    /// <summary>Encodes the result for reporting.</summary>
    internal TaskOutcome Encode(ITaskPayloadCodec? codec) =>
        codec is null || Result is not { } result ? this : this with { Result = codec.Encode(TaskText.Result, result) };

    /// <summary>The delay of a handler's own policy, unless the attempt chose one.</summary>
    internal TaskOutcome RetriedBy(RetryPolicy policy, int attempt) =>
        Retryable && RetryAfter is null ? this with { RetryAfter = RetryDelays.After(policy, attempt) } : this;

    /// <summary>The data of the task cannot be read, now or later.</summary>
    internal static TaskOutcome Unreadable(Type type, JsonException fault)
    {
        var place = fault.Message.IndexOf(" Path: ", StringComparison.Ordinal); // repeated by the message, with positions in the line
        var why = place > 0 ? fault.Message[..place] : fault.Message;
        return Failed($"the payload cannot be read as {type} at {fault.Path ?? "$"}: {why}") with
        {
            ErrorType = typeof(JsonException).FullName,
        };
    }

    /// <summary>The processor threw: the task is retried while attempts are left.</summary>
    internal static TaskOutcome Threw(string error) => new() { Error = error, Retryable = true };

    /// <summary>The processor threw, and a retry is useless.</summary>
    internal static TaskOutcome FailedBy(Exception fault) => Threw(fault) with { Retryable = false };

    /// <summary>The processor threw: the task is retried while attempts are left.</summary>
    internal static TaskOutcome Threw(Exception fault) =>
        Threw(fault.Message is { Length: > 0 } message ? message : fault.GetType().Name) with
        {
            ErrorType = LogText.Cut(fault.GetType().FullName ?? fault.GetType().Name, LogText.MaxErrorType),
            Stack = LogText.CutBytes(fault.ToString(), LogText.MaxStackBytes),
        };
}
