using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace TaskQueue.Client;

/// <summary>Progress and checkpoints.</summary>
public sealed partial class TaskContext
{
    private const int MaxProgress = 4096;

    /// <summary>The server reads requests with at most 64 levels, of which the heartbeat around it has some.</summary>
    private static readonly JsonDocumentOptions Sendable = new() { MaxDepth = 60 };

    private readonly Lock _lock = new();
    private string? _progress, _checkpoint;
    private bool _isRead;

    /// <summary>
    /// Reports progress, which readers of the task can see. Completes when a heartbeat carrying it was sent; delivery is not guaranteed.
    /// While an earlier attempt has left progress that this worker cannot decode, such as after a change of keys, nothing is sent: it would
    /// replace the checkpoint in it. The first checkpoint that the handler saves carries what was reported last.
    /// </summary>
    /// <param name="json">
    /// JSON text; at most 4,096 characters, together with the checkpoint and after the worker's codec has encoded it.
    /// </param>
    public Task ReportProgressAsync(string json)
    {
        ArgumentNullException.ThrowIfNull(json);
        JsonText.Check(json, nameof(json));
        lock (_lock)
        {
            var isKnown = TryReadCheckpoint(out var checkpoint);
            var text = ToSend(json, checkpoint, nameof(json));
            return isKnown ? _attempt.SayProgress(text) : Task.CompletedTask;
        }
    }

    /// <summary>
    /// What <see cref="SaveCheckpointAsync{T}(T, JsonTypeInfo{T}, CancellationToken)"/> saved last, in this attempt or an earlier one;
    /// default if nothing was saved.
    /// </summary>
    /// <param name="type">Serialization metadata.</param>
    /// <typeparam name="T">Type of the checkpoint.</typeparam>
    /// <exception cref="JsonException">The checkpoint does not match <typeparamref name="T"/>.</exception>
    /// <exception cref="TaskPayloadException">The checkpoint is encoded, and the worker's codec cannot decode it.</exception>
    public T? Checkpoint<T>(JsonTypeInfo<T> type)
    {
        ArgumentNullException.ThrowIfNull(type);
        string? json;
        lock (_lock)
            json = ReadCheckpoint();
        return json is null ? default : JsonSerializer.Deserialize(json, type);
    }

    /// <summary>Reads the checkpoint like <see cref="Checkpoint{T}(JsonTypeInfo{T})"/>, by reflection.</summary>
    /// <typeparam name="T">Type of the checkpoint.</typeparam>
    /// <exception cref="JsonException">The checkpoint does not match <typeparamref name="T"/>.</exception>
    /// <exception cref="TaskPayloadException">The checkpoint is encoded, and the worker's codec cannot decode it.</exception>
    [RequiresUnreferencedCode(ReflectedJson.Limit)]
    [RequiresDynamicCode(ReflectedJson.Limit)]
    public T? Checkpoint<T>() => Checkpoint(ReflectedJson.Of<T>());

    /// <summary>
    /// Saves how far the work is, for the next attempt if this one fails, loses its lease or is released. It replaces the checkpoint
    /// before, and is kept when the task is retried by hand, unless it gets another payload. Completes when the server has it (over
    /// RabbitMQ: the broker).
    /// </summary>
    /// <param name="value">
    /// The checkpoint; at most 4,096 characters of JSON, together with the progress and after the worker's codec has encoded it. Readers
    /// see it as the member <c>$checkpoint</c> of the progress.
    /// </param>
    /// <param name="type">Serialization metadata.</param>
    /// <param name="cancellationToken">Stops waiting; the checkpoint may be saved nevertheless.</param>
    /// <typeparam name="T">Type of the checkpoint.</typeparam>
    /// <exception cref="ArgumentException">It is too long, or nested more than 60 deep, itself and the progress around it.</exception>
    /// <exception cref="TaskQueueException">The server refuses it.</exception>
    /// <exception cref="OperationCanceledException">The attempt ended before the server had it.</exception>
    public Task SaveCheckpointAsync<T>(T value, JsonTypeInfo<T> type, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(type);
        var json = JsonSerializer.Serialize(value, type);
        Task saved;
        lock (_lock)
        {
            var text = ToSend(_progress, json, nameof(value));
            (_checkpoint, _isRead) = (json, true);
            saved = _attempt.SaveProgress(text);
        }

        return saved.WaitAsync(cancellationToken);
    }

    /// <inheritdoc cref="SaveCheckpointAsync{T}(T, JsonTypeInfo{T}, CancellationToken)"/>
    [RequiresUnreferencedCode(ReflectedJson.Limit)]
    [RequiresDynamicCode(ReflectedJson.Limit)]
    public Task SaveCheckpointAsync<T>(T value) => SaveCheckpointAsync(value, CancellationToken.None);

    /// <inheritdoc cref="SaveCheckpointAsync{T}(T, JsonTypeInfo{T}, CancellationToken)"/>
    [RequiresUnreferencedCode(ReflectedJson.Limit)]
    [RequiresDynamicCode(ReflectedJson.Limit)]
    public Task SaveCheckpointAsync<T>(T value, CancellationToken cancellationToken) =>
        SaveCheckpointAsync(value, ReflectedJson.Of<T>(), cancellationToken);

    /// <summary>Reads what an earlier attempt left when it is needed, so that handlers without checkpoints cannot fail for it.</summary>
    private string? ReadCheckpoint()
    {
        if (_isRead)
            return _checkpoint;
        if (_attempt.Item.Progress is { } earlier)
        {
            if (_codec is not null)
                earlier = _codec.Decode(TaskText.Progress, earlier);
            else
                CodecEnvelope.DemandPlain(earlier, "checkpoint of the task");
            _checkpoint = TaskQueue.Client.Checkpoint.Of(earlier);
        }

        _isRead = true;
        return _checkpoint;
    }

    /// <summary>Finds the checkpoint that progress must keep.</summary>
    /// <returns>False if it cannot be read here; another worker may be able to.</returns>
    private bool TryReadCheckpoint(out string? checkpoint)
    {
        try
        {
            checkpoint = ReadCheckpoint();
            return true;
        }
#pragma warning disable CA1031 // whatever the codec throws
        catch (Exception)
#pragma warning restore CA1031
        {
            checkpoint = null;
            return false;
        }
    }

    private string ToSend(string? progress, string? checkpoint, string parameter)
    {
        var plain = TaskQueue.Client.Checkpoint.Join(progress, checkpoint);
        var sent = _codec?.Encode(TaskText.Progress, plain) ?? plain;
        if (sent.Length > MaxProgress)
        {
            throw new ArgumentOutOfRangeException(parameter, sent.Length,
                $"progress and checkpoint must have at most {MaxProgress} characters together");
        }

        try
        {
            using var _ = JsonDocument.Parse(sent, Sendable);
        }
        catch (JsonException fault)
        {
            throw new ArgumentException(
                $"progress and checkpoint, as the codec encodes them, must be JSON at most {Sendable.MaxDepth} deep: {fault.Message}",
                parameter, fault);
        }

        _progress = progress;
        return sent;
    }
}
