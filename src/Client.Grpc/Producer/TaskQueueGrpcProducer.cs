using System.Diagnostics;
using TaskQueue.Client.Http;
using Wire = TaskQueue.Rpc.V1;

namespace TaskQueue.Client;

/// <summary>Enqueues over gRPC. Thread-safe; use one instance per program.</summary>
public sealed class TaskQueueGrpcProducer : ITaskProducer, IDisposable
{
    private const int MaxMany = 1000;

    private readonly RpcConnection _connection;
    private readonly Wire.Tasks.TasksClient _tasks;
    private readonly TimeProvider _time;
    private readonly ITaskPayloadCodec? _codec;
    private readonly EnqueuePipeline _pipeline;

    internal TaskQueueGrpcProducer(RpcConnection connection, TimeProvider time, ITaskPayloadCodec? codec, EnqueuePipeline pipeline)
    {
        (_connection, _time, _codec, _pipeline) = (connection, time, codec, pipeline);
        _tasks = new(connection.Invoker);
    }

    /// <inheritdoc />
    public async Task<EnqueuedTask> EnqueueAsync(NewTask task, CancellationToken cancellationToken = default)
    {
        task = await _pipeline.PrepareAsync(task, cancellationToken);
        using var activity = ClientTelemetry.Source.StartActivity($"send {task.Queue}", ActivityKind.Producer);
        var request = new Wire.EnqueueRequest { Task = TaskWire.ToMessage(_codec.EncodeTask(task)) };
        return await _pipeline.Metrics.SendAsync([task.Queue], () => Retries.RunAsync(async i =>
        {
            var answer = await _connection.CallAsync(o => _tasks.EnqueueAsync(request, o), cancellationToken);
            return TaskWire.ToAnswer(task, answer, i);
        }, _time, cancellationToken));
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
            var request = new Wire.EnqueueManyRequest();
            request.Tasks.AddRange(chunk.Select(t => TaskWire.ToMessage(_codec.EncodeTask(t))));
            answers.AddRange(await _pipeline.Metrics.SendAsync([.. chunk.Select(t => t.Queue)], () => Retries.RunAsync(async i =>
            {
                var answer = await _connection.CallAsync(o => _tasks.EnqueueManyAsync(request, o), cancellationToken);
                return chunk.Zip(answer.Tasks, (task, one) => TaskWire.ToAnswer(task, one, i)).ToList();
            }, _time, cancellationToken)));
        }

        return answers;
    }

    /// <summary>Closes the connection.</summary>
    public void Dispose() => _connection.Dispose();
}
