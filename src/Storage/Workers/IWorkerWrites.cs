using TaskQueue.Engine.Workers;

namespace TaskQueue.Storage.Workers;

/// <summary>The statement that merges contacts of workers, implemented by each provider.</summary>
public interface IWorkerWrites
{
    /// <summary>See <see cref="IWorkerStore.WriteAsync"/>. Workers that only reported are updated, never added.</summary>
    Task WriteWorkersAsync(IReadOnlyList<WorkerSighting> sightings, CancellationToken cancellationToken);
}
