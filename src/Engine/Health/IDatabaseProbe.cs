namespace TaskQueue.Engine.Health;

/// <summary>Probes the database with a trivial query over an unpooled connection.</summary>
public interface IDatabaseProbe
{
    /// <summary>Whether the database answers in time. Never throws.</summary>
    /// <param name="timeout">Maximum wait for the answer.</param>
    Task<bool> AnswersAsync(TimeSpan timeout);
}
