using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Search;

/// <summary>
/// An index with ids at its end, so that those of one key are read in order without reading rows. It has all tasks that a search may find,
/// and others.
/// </summary>
/// <param name="Name">Name of the index.</param>
/// <param name="Ids">The ids of the key, in no order yet.</param>
internal sealed record SearchWalk(string Name, Func<TaskDbContext, IQueryable<Guid>> Ids)
{
    private static readonly List<int> Unsuccessful = [TaskStates.Failed, TaskStates.Cancelled, TaskStates.Expired];

    public static SearchWalk One(Guid id) => new("PK_tasks (one)", db => Id(db.Submitted.Where(t => t.CorrelationId == id)));

    public static SearchWalk All() => new("PK_tasks", db => Id(db.Submitted));

    public static SearchWalk Queue(string queue) => new("ix_tasks_queue", db => Id(db.Submitted.Where(t => t.Queue == queue)));

    public static SearchWalk Owner(string owner) => new("ix_tasks_owner", db => Id(db.Submitted.Where(t => t.Owner == owner)));

    public static SearchWalk Batch(Guid batch) => new("ix_tasks_batch", db => Id(db.Submitted.Where(t => t.BatchId == batch)));

    public static SearchWalk Schedule(int schedule) =>
        new("ix_tasks_schedule", db => Id(db.Submitted.Where(t => t.ScheduleId == schedule)));

    /// <param name="key">As it is stored, with its tenant.</param>
    public static SearchWalk OrderingKey(string key) =>
        new("ix_tasks_ordering_key", db => Id(db.Submitted.Where(t => t.OrderingKey == key)));

    public static SearchWalk Tag(string tag, string? owner) => owner is null
        ? new("PK_task_tags", db => db.TaskTags.Where(t => t.Tag == tag).Select(t => t.TaskId))
        : new("ix_task_tags_owner", db => db.TaskTags.Where(t => t.Tag == tag && t.Owner == owner).Select(t => t.TaskId));

    public static SearchWalk Running() => new("PK_running", db => Id(db.Running));

    public static SearchWalk Waiting() => new("PK_ready", db => Id(db.Ready));

    public static SearchWalk Retrying() =>
        new("ix_ready_retrying", db => Id(db.Ready.Where(t => t.State == EF.Constant(TaskStates.Retrying))));

    public static SearchWalk WaitingOf(string owner, int state) =>
        new("ix_ready_owner", db => Id(db.Ready.Where(t => t.Owner == owner && t.State == state)));

    public static SearchWalk Ended() => new("PK_outcomes", db => Id(db.Outcomes));

    /// <remarks>A partial index needs a constant that the planner sees; SQLite needs the whole condition of the index.</remarks>
    public static SearchWalk Unsuccessfully(int state) =>
        new("ix_outcomes_ended", db => Id(db.Outcomes.Where(t =>
            EF.Constant(Unsuccessful).Contains(t.State) && t.State == EF.Constant(state))));

    public static SearchWalk EndedOf(string owner, int state) =>
        new("ix_outcomes_owner", db => Id(db.Outcomes.Where(t => t.Owner == owner && t.State == state)));

    private static IQueryable<Guid> Id(IQueryable<TaskState> rows) => rows.Select(t => t.CorrelationId);
}
