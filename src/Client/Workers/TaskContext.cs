using System.Text.Json.Serialization.Metadata;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>A task in work.</summary>
public sealed class TaskContext
{
    private const int MaxProgress = 4096;
    private readonly Attempt _attempt;
    private readonly ITaskPayloadCodec? _codec;

    internal TaskContext(Attempt attempt, string payload, ITaskPayloadCodec? codec)
    {
        _attempt = attempt;
        Payload = payload;
        _codec = codec;
    }

    /// <summary>The task.</summary>
    public Guid Id => _attempt.Item.Id;

    /// <summary>Its name, called action in POST /tasks; may be null.</summary>
    public string? Name => _attempt.Item.Name;

    /// <summary>Base name of its queue.</summary>
    public string Queue => _attempt.Item.Queue;

    /// <summary>0 is online, 1..N offline.</summary>
    public int Tier => _attempt.Item.Tier;

    /// <summary>Null on the bus, which does not say.</summary>
    public Priority? Priority => _attempt.Item.Priority;

    /// <summary>
    /// Number of this attempt, greater than that of every attempt before it: hand it on to what you write to, as a fencing token.
    /// </summary>
    public int Attempt => _attempt.Item.Attempt;

    /// <summary>How many attempts there may be; null on the bus, which does not say.</summary>
    public int? MaxAttempts => _attempt.Item.MaxAttempts;

    /// <summary>JSON text as submitted, decoded where the worker has a codec.</summary>
    public string Payload { get; }

    /// <summary>Whether the task is no longer this worker's: its outcome is dropped.</summary>
    public bool LeaseLost => _attempt.IsLost;

    /// <summary>Reads the payload: the data of a task of POST /tasks, else all of it.</summary>
    /// <param name="type">How it is read.</param>
    /// <typeparam name="T">Type of the data.</typeparam>
    /// <exception cref="System.Text.Json.JsonException">It is something else.</exception>
    public T Read<T>(JsonTypeInfo<T> type)
    {
        ArgumentNullException.ThrowIfNull(type);
        return TaskPayload.Read(Id, Payload, type);
    }

    /// <summary>
    /// Says how far the work is, for whoever looks at the task. Returns when a heartbeat went out with it; that it arrives is not certain.
    /// </summary>
    /// <param name="json">JSON text of at most 4,096 characters, as the worker's codec encodes it.</param>
    public Task ReportProgressAsync(string json)
    {
        ArgumentNullException.ThrowIfNull(json);
        JsonText.Check(json, nameof(json));
        var sent = _codec?.Encode(TaskText.Progress, json) ?? json;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(sent.Length, MaxProgress, nameof(json));
        return _attempt.SayProgress(sent);
    }
}
