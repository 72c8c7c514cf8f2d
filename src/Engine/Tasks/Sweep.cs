namespace TaskQueue.Engine.Tasks;

/// <summary>What a sweep selects.</summary>
public enum Sweep
{
    /// <summary>Waiting push tasks that are due for dispatch.</summary>
    Dispatch,

    /// <summary>Running tasks with an expired lease.</summary>
    ExpiredLease,

    /// <summary>Waiting tasks past their expiry.</summary>
    Expired,
}
