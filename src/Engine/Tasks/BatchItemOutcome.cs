namespace TaskQueue.Engine.Tasks;

/// <summary>Outcome of a batch item.</summary>
public enum BatchItemOutcome
{
    /// <summary>Result with a 2xx status.</summary>
    Succeeded = 1,

    /// <summary>Result with another status.</summary>
    Refused = 2,

    /// <summary>No result: failed, expired or cancelled.</summary>
    Lost = 3,
}
