namespace TaskQueue.Engine.Tasks;

/// <summary>What a sweep looks for.</summary>
public enum Sweep
{
    /// <summary>Waiting push tasks that are due for dispatch.</summary>
    Dispatch,

    /// <summary>Running tasks whose lease is over.</summary>
    ExpiredLease,

    /// <summary>Waiting tasks past their expiry.</summary>
    Expired,
}
