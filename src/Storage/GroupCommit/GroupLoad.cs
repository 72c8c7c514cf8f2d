using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.GroupCommit;

/// <summary>Reads the tasks of a group of commands.</summary>
internal static class GroupLoad
{
    /// <summary>Reads what the commands of a group need, in one statement, and one more for payloads that are edited.</summary>
    public static async Task<Dictionary<Guid, GroupSlot>> LoadAsync(
        ITaskSession session, List<GroupEntry> group, IReadOnlyDictionary<string, QueueRecord> queues)
    {
        var slots = new Dictionary<Guid, GroupSlot>(group.Count);
        var ids = new List<Guid>();
        HashSet<Guid>? edited = null;
        foreach (var entry in group)
        {
            if (entry.Command.Change?.Payload is not null)
                (edited ??= []).Add(entry.TaskId);
            // Only the first command of a task decides whether its row must be read.
            if (slots.TryAdd(entry.TaskId, new GroupSlot()) && !entry.InsertsBlindly)
                ids.Add(entry.TaskId);
        }

        if (ids.Count > 0)
        {
            foreach (var (id, task) in await session.LoadAsync(ids))
            {
                task.Settings = queues.GetValueOrDefault(task.Queue)?.Settings ?? QueueSettings.Default;
                slots[id].Task = task;
            }
        }

        if (edited is not null)
            await LoadPayloadsAsync(session, slots, edited);
        return slots;
    }

    private static async Task LoadPayloadsAsync(ITaskSession session, Dictionary<Guid, GroupSlot> slots, HashSet<Guid> edited)
    {
        List<Guid> found = [.. edited.Where(id => slots[id].Task is not null)];
        if (found.Count == 0)
            return;
        foreach (var (id, payload) in await session.LoadPayloadsAsync(found))
            slots[id].Task!.Payload = payload;
    }
}
