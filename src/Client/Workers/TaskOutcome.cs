using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace TaskQueue.Client;

/// <summary>Outcome of a processor. Throw to have the task retried.</summary>
public sealed record TaskOutcome
{
    private static readonly TimeSpan MaxDelay = TimeSpan.FromDays(30);

    private TaskOutcome()
    {
    }

    internal string? Result { get; private init; }

    /// <summary>Null on success.</summary>
    internal string? Error { get; private init; }

    /// <summary>Class of the exception that the processor threw.</summary>
    internal string? ErrorType { get; private init; }

    /// <summary>Stack of the exception that the processor threw.</summary>
    internal string? Stack { get; private init; }

    internal bool Retryable { get; private init; }

    /// <summary>Snooze delay; null if the attempt ended.</summary>
    internal TimeSpan? Delay { get; private init; }

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

    /// <summary>The processor threw: the task is retried while attempts are left.</summary>
    internal static TaskOutcome Threw(string error) => new() { Error = error, Retryable = true };

    /// <summary>The processor threw: the task is retried while attempts are left.</summary>
    internal static TaskOutcome Threw(Exception fault) =>
        Threw(fault.Message is { Length: > 0 } message ? message : fault.GetType().Name) with
        {
            ErrorType = LogText.Cut(fault.GetType().FullName ?? fault.GetType().Name, LogText.MaxErrorType),
            Stack = LogText.CutBytes(fault.ToString(), LogText.MaxStackBytes),
        };
}
