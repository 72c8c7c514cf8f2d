using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Search;

/// <summary>
/// An index with ids at its end, so that those of one key are read in order without reading rows. It has all tasks that a search may find,
/// and others.
/// </summary>
/// <param name="Name">Name of the index.</param>
/// <param name="Keys">The tasks of the key, in no order yet.</param>
internal sealed record SearchWalk(string Name, Func<TaskDbContext, IQueryable<SearchKey>> Keys)
{
    private static readonly List<int> Unsuccessful = [TaskStates.Failed, TaskStates.Cancelled, TaskStates.Expired];

    public static SearchWalk One(Guid id) =>
        new("PK_tasks (one)", db => db.Submitted.Where(t => t.CorrelationId == id).Select(SearchKey.Of));

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
        ? new("PK_task_tags", db => Id(db.TaskTags.Where(t => t.Tag == tag)))
        : new("ix_task_tags_owner", db => Id(db.TaskTags.Where(t => t.Tag == tag && t.Owner == owner)));

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

    /// <summary>The tasks that are listed under other ids than their own: the other walks have them where these fall.</summary>
    public static SearchWalk Listed(string? owner, string? queue = null) =>
        owner is not null ? new("ix_tasks_owner_listed", db => ListedAs(db.Submitted.Where(t => t.Owner == owner && t.ListedAs != null)))
        : queue is not null ? new("ix_tasks_queue_listed", db => ListedAs(db.Submitted.Where(t => t.Queue == queue && t.ListedAs != null)))
        : new("ix_tasks_listed", db => ListedAs(db.Submitted.Where(t => t.ListedAs != null)));

    /// <remarks>By the order of the index: a database may look for any row by reading the table until it meets one.</remarks>
    public async Task<bool> HasAnyAsync(TaskDbContext db, CancellationToken cancellationToken) =>
        await Keys(db).OrderByDescending(k => k.ListedAs).Select(k => (Guid?)k.ListedAs).FirstOrDefaultAsync(cancellationToken) is not null;

    private static IQueryable<SearchKey> Id(IQueryable<TaskState> rows) =>
        rows.Select(t => new SearchKey { ListedAs = t.CorrelationId, Id = t.CorrelationId });

    private static IQueryable<SearchKey> Id(IQueryable<TaskTag> rows) =>
        rows.Select(t => new SearchKey { ListedAs = t.TaskId, Id = t.TaskId });

    private static IQueryable<SearchKey> ListedAs(IQueryable<TaskState> rows) =>
        rows.Select(t => new SearchKey { ListedAs = t.ListedAs!.Value, Id = t.CorrelationId });
}
