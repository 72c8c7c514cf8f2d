namespace TaskQueue.Engine.Quotas;

/// <summary>Identifies this process among those that share quotas.</summary>
internal sealed class ProcessPresence
{
    /// <summary>Number of processes that share quotas as last read; at least 1.</summary>
    public int Processes { get; set => field = Math.Max(1, value); } = 1;

    /// <summary>Name that is unique among processes and restarts.</summary>
    public string Name { get; } = Guid.NewGuid().ToString("N");
}
