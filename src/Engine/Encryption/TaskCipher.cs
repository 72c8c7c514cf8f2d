using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Encryption;

/// <summary>Which texts of a task are encrypted at rest. Names, keys, times and owners are not: the database searches by them.</summary>
internal sealed class TaskCipher(DataCipher cipher)
{
    /// <summary>Those that a transition loads and may change.</summary>
    public static readonly TaskText[] Changing =
    [
        new(Place.Result(Guid.Empty).Field, t => t.Result, (t, v) => t.Result = v),
        new(Place.Error(Guid.Empty).Field, t => t.Error, (t, v) => t.Error = v) { IsJson = false },
        new("tasks.progress", t => t.Progress, (t, v) => t.Progress = v),
    ];

    /// <summary>All of them.</summary>
    public static readonly TaskText[] All =
    [
        new("tasks.payload", t => t.Payload, (t, v) => t.Payload = v!),
        new("tasks.headers", t => t.Headers, (t, v) => t.Headers = v),
        .. Changing,
    ];

    private readonly DataCipher _cipher = cipher;

    /// <summary>Opens everything in place.</summary>
    /// <exception cref="UnreadableDataException">A text cannot be opened; the error of the last attempt is then explained
    /// instead.</exception>
    public void Open(TaskState task)
    {
        foreach (var text in All)
        {
            if (DataCipher.IsMarked(text.Get(task)))
                text.Set(task, text.IsJson ? _cipher.Open(text.At(task), text.Get(task)) : Explain(text, task));
        }
    }

    /// <summary>Opens everything in place that can be opened; the rest says why it cannot.</summary>
    public void OpenOrExplain(TaskState task)
    {
        foreach (var text in All)
        {
            if (DataCipher.IsMarked(text.Get(task)))
                text.Set(task, Explain(text, task));
        }
    }

    /// <summary>A task as it is stored: itself where nothing changes, else a copy.</summary>
    public TaskState Seal(TaskState task, TaskText[] texts)
    {
        if (!Array.Exists(texts, text => _cipher.Changes(text.Get(task))) && !task.Events.Any(e => _cipher.Changes(e.Error)))
            return task;
        var copy = task.CopyForStorage(e => _cipher.Changes(e.Error) ? e.With(_cipher.Seal(Place.Error(e.TaskId), e.Error)) : e);
        foreach (var text in texts)
            text.Set(copy, _cipher.Seal(text.At(copy), text.Get(copy)));
        return copy;
    }

    /// <summary>Opens what a batch reads of its tasks.</summary>
    /// <exception cref="UnreadableDataException">A text cannot be opened.</exception>
    public static EndedBatchItem Open(DataCipher cipher, EndedBatchItem line) =>
        !DataCipher.IsMarked(line.Result) && !DataCipher.IsMarked(line.Error) && !DataCipher.IsMarked(line.Headers)
            ? line
            : line with
            {
                Result = cipher.Open(Place.Result(line.Id), line.Result),
                Error = cipher.OpenOrExplain(Place.Error(line.Id), line.Error, asJson: false),
                Headers = cipher.Open(All[1].At(line.Id), line.Headers),
            };

    /// <summary>Opens the error of an event.</summary>
    public void Open(TaskEvent taskEvent) =>
        taskEvent.Error = _cipher.OpenOrExplain(Place.Error(taskEvent.TaskId), taskEvent.Error, asJson: false);

    /// <summary>A payload as it is stored with another task, whose dedupe key it met.</summary>
    public string SealPayload(Guid id, string payload) => _cipher.Seal(All[0].At(id), payload);

    /// <summary>The text, or why it cannot be opened.</summary>
    public string? Explain(TaskText text, TaskState task) => _cipher.OpenOrExplain(text.At(task), text.Get(task), text.IsJson);
}

/// <summary>One text of a task.</summary>
internal sealed record TaskText(string Field, Func<TaskState, string?> Get, Action<TaskState, string?> Set)
{
    /// <summary>JSON text, where it is no text for people.</summary>
    public bool IsJson { get; init; } = true;

    public Place At(TaskState task) => At(task.CorrelationId);

    public Place At(Guid id) => new(Field, id);
}
