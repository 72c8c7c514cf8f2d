using TaskQueue.Engine.Failures;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.GroupCommit;

/// <summary>What a transaction wrote.</summary>
/// <param name="Tasks">The written tasks.</param>
/// <param name="Missed">Commands that were not, and must run again.</param>
/// <param name="Failures">Attempts that failed.</param>
internal sealed record WrittenGroup(IReadOnlyList<TaskState> Tasks, IReadOnlySet<GroupEntry> Missed, IReadOnlyList<Failure> Failures)
{
    public static readonly WrittenGroup Nothing = new([], new HashSet<GroupEntry>(), []);
}
