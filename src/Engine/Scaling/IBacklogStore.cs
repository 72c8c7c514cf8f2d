namespace TaskQueue.Engine.Scaling;

/// <summary>What operators watch of the whole database. One implementation for each provider.</summary>
public interface IBacklogStore
{
    /// <summary>Counts what waits and runs, through the partial indexes: the cost grows with that, and not with finished tasks.</summary>
    /// <param name="now">What is due is due by then.</param>
    /// <param name="counted">Queues whose finished tasks are told too: a few counters of each, however many tasks those counted.</param>
    Task<Backlog> ReadBacklogAsync(DateTime now, IReadOnlyCollection<string> counted);
}
