namespace TaskQueue.Engine.Health;

/// <summary>Asks the database for next to nothing, over a connection that no pool keeps.</summary>
public interface IDatabaseProbe
{
    /// <summary>Whether the database answers in time. Does not throw.</summary>
    /// <param name="timeout">How long to wait for the answer.</param>
    Task<bool> AnswersAsync(TimeSpan timeout);
}
