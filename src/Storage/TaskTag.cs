using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage;

/// <summary>
/// A row of table <c>task_tags</c>, for searches: written with a task that has tags, and removed with it. Column <c>tags</c> of the task
/// has all of them.
/// </summary>
public sealed class TaskTag : IOwnedInQueue
{
    /// <summary>The tag.</summary>
    public string Tag { get; set; } = "";

    /// <summary>The task.</summary>
    public Guid TaskId { get; set; }

    /// <summary>Owner of the task.</summary>
    public string? Owner { get; set; }

    /// <summary>Base name of its queue.</summary>
    public string Queue { get; set; } = "";

    /// <summary>The rows of tasks.</summary>
    internal static List<TaskTag> Of(IEnumerable<TaskState> tasks) =>
    [
        .. tasks.Where(t => t.Tags is not null).SelectMany(t => TaskTags.Split(t.Tags).Select(tag => new TaskTag
        {
            Tag = tag, TaskId = t.CorrelationId, Owner = t.Owner, Queue = t.Queue,
        })),
    ];
}
