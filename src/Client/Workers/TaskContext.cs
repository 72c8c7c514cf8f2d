using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization.Metadata;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>A task being processed.</summary>
public sealed partial class TaskContext
{
    private readonly Attempt _attempt;
    private readonly ITaskPayloadCodec? _codec;
    private readonly TimeProvider _time;

    internal TaskContext(Attempt attempt, string payload, ITaskPayloadCodec? codec, TimeProvider time)
    {
        _attempt = attempt;
        Payload = payload;
        _codec = codec;
        _time = time;
    }

    /// <summary>Id of the task.</summary>
    public Guid Id => _attempt.Item.Id;

    /// <summary>Name of the task, called action in POST /tasks; may be null.</summary>
    public string? Name => _attempt.Item.Name;

    /// <summary>Base name of the queue.</summary>
    public string Queue => _attempt.Item.Queue;

    /// <summary>Tier: 0 is online, 1..N offline.</summary>
    public int Tier => _attempt.Item.Tier;

    /// <summary>Priority; null over RabbitMQ, which does not carry it.</summary>
    public Priority? Priority => _attempt.Item.Priority;

    /// <summary>
    /// Attempt number, greater than that of every earlier attempt. Pass it to the systems you write to, as a fencing token.
    /// </summary>
    public int Attempt => _attempt.Item.Attempt;

    /// <summary>Maximum number of attempts; null over RabbitMQ, which does not carry it.</summary>
    public int? MaxAttempts => _attempt.Item.MaxAttempts;

    /// <summary>Tags of the task; empty over RabbitMQ, which does not carry them.</summary>
    public IReadOnlyList<string> Tags => _attempt.Item.Tags;

    /// <summary>Payload as submitted JSON text, decoded if the worker has a codec.</summary>
    public string Payload { get; }

    /// <summary>Whether the lease is lost: the outcome will be dropped.</summary>
    public bool LeaseLost => _attempt.IsLost;

    /// <summary>Deserializes the payload: the data member of a POST /tasks message, else the whole payload.</summary>
    /// <param name="type">Serialization metadata.</param>
    /// <typeparam name="T">Type of the data.</typeparam>
    /// <exception cref="System.Text.Json.JsonException">The payload does not match <typeparamref name="T"/>.</exception>
    public T Read<T>(JsonTypeInfo<T> type)
    {
        ArgumentNullException.ThrowIfNull(type);
        return TaskPayload.Read(Id, Payload, type);
    }

    /// <summary>Deserializes the payload like <see cref="Read{T}(JsonTypeInfo{T})"/>, by reflection.</summary>
    /// <typeparam name="T">Type of the data.</typeparam>
    /// <exception cref="System.Text.Json.JsonException">The payload does not match <typeparamref name="T"/>.</exception>
    [RequiresUnreferencedCode(ReflectedJson.Limit)]
    [RequiresDynamicCode(ReflectedJson.Limit)]
    public T Read<T>() => Read(ReflectedJson.Of<T>());

    /// <summary>
    /// Logs a line with the task, for readers of <c>GET /tasks/{id}/logs</c>. The next heartbeat or the report of the outcome carries it.
    /// A message is cut to 8 kB; between two heartbeats the newest 100 lines and 64 kB are kept. Not encoded by the worker's codec.
    /// </summary>
    /// <param name="message">The text; empty logs nothing.</param>
    /// <param name="level">Severity.</param>
    public void Log(string message, TaskLogLevel level = TaskLogLevel.Info)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (message.Length > 0)
            _attempt.Log(new LogEntry(_time.GetUtcNow(), level, LogText.CutBytes(message, LogText.MaxMessageBytes)));
    }
}
