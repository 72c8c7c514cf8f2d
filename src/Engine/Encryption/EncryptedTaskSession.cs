using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Encryption;

/// <summary>
/// A transaction of <see cref="EncryptedTaskStore"/>. A text that no command changes is written back byte for byte, so a transition neither
/// needs its key nor re-encrypts it.
/// </summary>
internal sealed class EncryptedTaskSession(ITaskSession inner, TaskCipher cipher) : ITaskSession
{
    private readonly Dictionary<(Guid, string), (string Shown, string Stored)> _loaded = [];

    public async Task<Dictionary<Guid, TaskState>> LoadAsync(IReadOnlyList<Guid> ids)
    {
        var tasks = await inner.LoadAsync(ids);
        foreach (var task in tasks.Values)
        {
            foreach (var text in TaskCipher.Changing)
            {
                if (text.Get(task) is not { } stored || !DataCipher.IsMarked(stored))
                    continue;
                var shown = cipher.Explain(text, task)!;
                _loaded[(task.CorrelationId, text.Field)] = (shown, stored);
                text.Set(task, shown);
            }
        }

        return tasks;
    }

    public async Task<Dictionary<Guid, string>> LoadPayloadsAsync(IReadOnlyList<Guid> ids) =>
        (await inner.LoadPayloadsAsync(ids)).ToDictionary(p => p.Key, p => cipher.OpenPayload(p.Key, p.Value));

    public Task<IReadOnlySet<Guid>> SaveAsync(IReadOnlyList<TaskState> inserts, IReadOnlyList<TaskState> updates) =>
        inner.SaveAsync(Each(inserts, task => cipher.Seal(task, TaskCipher.All)), Each(updates, Update));

    public ValueTask DisposeAsync() => inner.DisposeAsync();

    private TaskState Update(TaskState task)
    {
        List<(TaskText Text, string Stored)> unchanged = [];
        foreach (var text in TaskCipher.Changing)
        {
            if (_loaded.TryGetValue((task.CorrelationId, text.Field), out var known) && ReferenceEquals(known.Shown, text.Get(task)))
                unchanged.Add((text, known.Stored));
        }

        var texts = task.IsEdited ? TaskCipher.Edited : TaskCipher.Changing;
        if (unchanged.Count == 0)
            return cipher.Seal(task, texts);
        var stored = cipher.Seal(task, [.. texts.Where(text => !unchanged.Exists(u => u.Text == text))]);
        if (ReferenceEquals(stored, task))
            stored = task.Copy();
        foreach (var (text, value) in unchanged)
            text.Set(stored, value);
        return stored;
    }

    private static IReadOnlyList<TaskState> Each(IReadOnlyList<TaskState> tasks, Func<TaskState, TaskState> seal)
    {
        List<TaskState>? sealedTasks = null;
        for (var i = 0; i < tasks.Count; i++)
        {
            var stored = seal(tasks[i]);
            if (sealedTasks is null && ReferenceEquals(stored, tasks[i]))
                continue;
            sealedTasks ??= [.. tasks.Take(i)];
            sealedTasks.Add(stored);
        }

        return sealedTasks ?? tasks;
    }
}
