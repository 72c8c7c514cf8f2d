namespace TaskQueue.Engine.Batches;

/// <summary>Writes a batch as its API shows it: the body of its callback.</summary>
public interface IBatchRenderer
{
    /// <summary>A batch as JSON.</summary>
    string Render(BatchState batch, BatchProgress progress);
}
