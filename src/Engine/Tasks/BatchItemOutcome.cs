namespace TaskQueue.Engine.Tasks;

/// <summary>How a line of a batch ended.</summary>
public enum BatchItemOutcome
{
    /// <summary>With a status of 2xx.</summary>
    Succeeded = 1,

    /// <summary>With another status.</summary>
    Refused = 2,

    /// <summary>Without a result: failed, expired, cancelled.</summary>
    Lost = 3,
}
