namespace TaskQueue.Engine.Quotas;

/// <summary>This process among those that share quotas.</summary>
internal sealed class ProcessPresence
{
    /// <summary>Processes that share quotas, as of the last look; at least this one.</summary>
    public int Processes { get; set => field = Math.Max(1, value); } = 1;

    /// <summary>A name that no other process and no other life of this one has.</summary>
    public string Name { get; } = Guid.NewGuid().ToString("N");
}
