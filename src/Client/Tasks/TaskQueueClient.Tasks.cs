using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json.Serialization.Metadata;
using TaskQueue.Client.Http;

namespace TaskQueue.Client;

/// <summary>Operations for producers.</summary>
public sealed partial class TaskQueueClient
{
    private const int MaxMany = 1000;

    /// <summary>Longest wait the server accepts.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan FirstLook = TimeSpan.FromMilliseconds(100), LongestLook = TimeSpan.FromSeconds(2);

    /// <inheritdoc />
    public async Task<EnqueuedTask> EnqueueAsync(NewTask task, CancellationToken cancellationToken = default)
    {
        task = await _pipeline.PrepareAsync(task, cancellationToken);
        using var activity = ClientTelemetry.Source.StartActivity($"send {task.Queue}", ActivityKind.Producer);
        var body = TaskBody.One(_codec.EncodeTask(task));
        return await _pipeline.Metrics.SendAsync([task.Queue], () => TryAsync(async (server, i) =>
        {
            using var content = Content(body);
            var answer = await server.SendAsync(HttpMethod.Post, "/tasks", content, TaskJson.Default.QueuedAnswer, cancellationToken);
            return Answer(task, answer.Id, answer.Status, i);
        }, cancellationToken));
    }

    /// <inheritdoc />
    public async Task<IReadOnlyList<EnqueuedTask>> EnqueueManyAsync(IEnumerable<NewTask> tasks,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(tasks);
        var answers = new List<EnqueuedTask>();
        foreach (var chunk in tasks.Chunk(MaxMany))
        {
            for (var i = 0; i < chunk.Length; i++)
                chunk[i] = await _pipeline.PrepareAsync(chunk[i], cancellationToken);
            using var activity = ClientTelemetry.Source.StartActivity($"send {chunk[0].Queue}", ActivityKind.Producer);
            var body = TaskBody.Many([.. chunk.Select(t => _codec.EncodeTask(t))]);
            answers.AddRange(await _pipeline.Metrics.SendAsync([.. chunk.Select(t => t.Queue)], () => TryAsync(async (server, i) =>
            {
                using var content = Content(body);
                var answer = await server.SendAsync(HttpMethod.Post, "/tasks/bulk", content, TaskJson.Default.ManyQueuedAnswer,
                    cancellationToken);
                return chunk.Select((task, n) => Answer(task, answer.Ids[n], answer.Results[n], i)).ToList();
            }, cancellationToken)));
        }

        return answers;
    }

    /// <summary>Gets a task; null if it does not exist or this key may not read it.</summary>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public Task<TaskInfo?> GetAsync(Guid id, CancellationToken cancellationToken = default) =>
        GetAsync(id, TimeSpan.Zero, cancellationToken);

    /// <summary>Gets the status of a task; null if it does not exist or this key may not read it.</summary>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async Task<QueuedTaskStatus?> GetStatusAsync(Guid id, CancellationToken cancellationToken = default) =>
        (await GetAsync(id, cancellationToken))?.Status;

    /// <summary>Deserializes the result of a task; default if the task has not completed or has no result.</summary>
    /// <exception cref="TaskQueueException">There is no such task, or the server did not answer.</exception>
    /// <exception cref="TaskPayloadException">The result is encoded, and the client's codec cannot decode it.</exception>
    public async Task<T?> GetResultAsync<T>(Guid id, JsonTypeInfo<T> type, CancellationToken cancellationToken = default) =>
        (await GetAsync(id, cancellationToken) ?? throw NotFound(id)).GetResult(type);

    /// <summary>Waits until a task reaches any final status.</summary>
    /// <param name="id">The task.</param>
    /// <param name="timeout">Longest wait.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="TaskQueueException">There is no such task, or the server did not answer.</exception>
    /// <exception cref="TimeoutException">The task did not end in time.</exception>
    public async Task<TaskInfo> WaitAsync(Guid id, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        var start = _time.GetTimestamp();
        for (var look = FirstLook; ;)
        {
            var left = timeout - _time.GetElapsedTime(start);
            var asked = _time.GetTimestamp();
            var wait = left > LongestWait ? LongestWait : left > TimeSpan.Zero ? left : TimeSpan.Zero;
            var task = await GetAsync(id, wait, cancellationToken) ?? throw NotFound(id);
            if (task.HasEnded)
                return task;
            left = timeout - _time.GetElapsedTime(start);
            if (left <= TimeSpan.Zero)
                throw new TimeoutException($"task {id} is {task.Status.ToString().ToLowerInvariant()} after {timeout}");
            if (_time.GetElapsedTime(asked) >= wait)
                continue;
            // A server that is stopping, or that cannot wait, answers early.
            await Task.Delay(look < left ? look : left, _time, cancellationToken);
            look = look * 2 < LongestLook ? look * 2 : LongestLook;
        }
    }

    /// <summary>Waits for the result of a task.</summary>
    /// <param name="id">The task.</param>
    /// <param name="type">Serialization metadata from a source-generated context.</param>
    /// <param name="timeout">Longest wait.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>The result; default if the task completed without one.</returns>
    /// <exception cref="TaskNotCompletedException">The task failed, was cancelled, or expired.</exception>
    /// <exception cref="TaskQueueException">There is no such task, or the server did not answer.</exception>
    /// <exception cref="TimeoutException">The task did not end in time.</exception>
    public async Task<T?> WaitForResultAsync<T>(Guid id, JsonTypeInfo<T> type, TimeSpan timeout,
        CancellationToken cancellationToken = default)
    {
        var task = await WaitAsync(id, timeout, cancellationToken);
        return task.Status == QueuedTaskStatus.Completed ? task.GetResult(type) : throw new TaskNotCompletedException(task);
    }

    /// <summary>Waits for the result of a task, whose JSON is read by reflection.</summary>
    /// <param name="id">The task.</param>
    /// <param name="timeout">Longest wait.</param>
    /// <returns>The result; default if the task completed without one.</returns>
    /// <exception cref="TaskNotCompletedException">The task failed, was cancelled, or expired.</exception>
    /// <exception cref="TaskQueueException">There is no such task, or the server did not answer.</exception>
    /// <exception cref="TimeoutException">The task did not end in time.</exception>
    [RequiresUnreferencedCode(ReflectedJson.Limit)]
    [RequiresDynamicCode(ReflectedJson.Limit)]
    public Task<T?> WaitForResultAsync<T>(Guid id, TimeSpan timeout) => WaitForResultAsync<T>(id, timeout, CancellationToken.None);

    /// <inheritdoc cref="WaitForResultAsync{T}(Guid, TimeSpan)"/>
    /// <param name="id">The task.</param>
    /// <param name="timeout">Longest wait.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    [RequiresUnreferencedCode(ReflectedJson.Limit)]
    [RequiresDynamicCode(ReflectedJson.Limit)]
    public Task<T?> WaitForResultAsync<T>(Guid id, TimeSpan timeout, CancellationToken cancellationToken) =>
        WaitForResultAsync(id, ReflectedJson.Of<T>(), timeout, cancellationToken);

    /// <summary>Cancels a task that has not ended. A worker that runs it learns of it with its next heartbeat.</summary>
    /// <exception cref="TaskQueueException">There is no such task (404), it has ended (409), or the server did not answer.</exception>
    public Task CancelAsync(Guid id, CancellationToken cancellationToken = default) => ChangeAsync(id, "cancel", cancellationToken);

    /// <summary>Runs a failed or cancelled task again.</summary>
    /// <exception cref="TaskQueueException">
    /// There is no such task (404), it is neither failed nor cancelled (409), or the server did not answer.
    /// </exception>
    public Task RetryAsync(Guid id, CancellationToken cancellationToken = default) => ChangeAsync(id, "retry", cancellationToken);

    /// <summary>Deletes a task, whatever its status.</summary>
    /// <exception cref="TaskQueueException">There is no such task, or the server did not answer.</exception>
    public async Task DeleteAsync(Guid id, CancellationToken cancellationToken = default) =>
        await CallAsync(HttpMethod.Delete, Path(id), null, cancellationToken);

    private async Task<TaskInfo?> GetAsync(Guid id, TimeSpan wait, CancellationToken cancellationToken)
    {
        var path = wait > TimeSpan.Zero ? string.Create(CultureInfo.InvariantCulture, $"{Path(id)}?wait_seconds={wait.TotalSeconds:0.###}")
            : Path(id);
        try
        {
            return _codec.DecodeTask(await TryAsync((server, _) =>
                server.SendAsync(HttpMethod.Get, path, null, TaskJson.Default.TaskInfo, cancellationToken), cancellationToken));
        }
        catch (TaskQueueException fault) when (fault.Status == 404)
        {
            return null;
        }
    }

    private async Task ChangeAsync(Guid id, string verb, CancellationToken cancellationToken) =>
        await _clients.Connect().SendAsync(HttpMethod.Post, $"{Path(id)}/{verb}", null, TaskJson.Default.ChangedAnswer, cancellationToken);

    /// <summary>On a retry, a duplicate with the same id is the task that an earlier try enqueued.</summary>
    internal static EnqueuedTask Answer(NewTask task, Guid id, string status, int tries) =>
        new(id, status switch
        {
            "updated" => EnqueueResult.Updated,
            "duplicate" when id != task.Id || tries == 1 => EnqueueResult.Duplicate,
            _ => EnqueueResult.Queued,
        });

    private static string Path(Guid id) => $"/tasks/{id}";

    private static ReadOnlyMemoryContent Content(ReadOnlyMemory<byte> body) => new(body) { Headers = { ContentType = Json } };

    private static TaskQueueException NotFound(Guid id) => new($"there is no task {id}", 404, "not_found");
}
