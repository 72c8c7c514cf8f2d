namespace TaskQueue.Engine.Batches;

/// <summary>Renders a batch in its API's format: the body of its callback.</summary>
public interface IBatchRenderer
{
    /// <summary>Renders a batch as JSON.</summary>
    string Render(BatchState batch, BatchProgress progress);
}
