namespace TaskQueue.Engine.Scaling;

/// <summary>Counts the backlog of the whole database, implemented by each provider.</summary>
public interface IBacklogStore
{
    /// <summary>Counts waiting and running tasks through the partial indexes: the cost grows with these, not with finished tasks.</summary>
    /// <param name="now">Tasks due at this time count as due.</param>
    /// <param name="counted">Queues whose finished tasks are included: a few counters of each, however many tasks they count.</param>
    Task<Backlog> ReadBacklogAsync(DateTime now, IReadOnlyCollection<string> counted);
}
