using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Encryption;

/// <summary>Encrypts the texts of a task at rest. Names, keys, times and owners stay plain: the database searches by them.</summary>
internal sealed class TaskCipher(DataCipher cipher)
{
    /// <summary>The texts that a transition loads and may change.</summary>
    public static readonly TaskText[] Changing =
    [
        new(Place.Result(Guid.Empty).Field, t => t.Result, (t, v) => t.Result = v),
        new(Place.Error(Guid.Empty).Field, t => t.Error, (t, v) => t.Error = v) { IsJson = false },
        new("tasks.progress", t => t.Progress, (t, v) => t.Progress = v),
    ];

    /// <summary>All encrypted texts.</summary>
    public static readonly TaskText[] All =
    [
        new("tasks.payload", t => t.Payload, (t, v) => t.Payload = v!),
        new("tasks.headers", t => t.Headers, (t, v) => t.Headers = v),
        .. Changing,
    ];

    /// <summary>The texts that a transition may change if it changes the payload too.</summary>
    public static readonly TaskText[] Edited = [All[0], .. Changing];

    private readonly DataCipher _cipher = cipher;

    /// <summary>Decrypts all texts in place.</summary>
    /// <exception cref="UnreadableDataException">A text cannot be decrypted; if only the error of the last attempt cannot, its text
    /// explains why instead.</exception>
    public void Open(TaskState task)
    {
        foreach (var text in All)
        {
            if (DataCipher.IsMarked(text.Get(task)))
                text.Set(task, text.IsJson ? _cipher.Open(text.At(task), text.Get(task)) : Explain(text, task));
        }
    }

    /// <summary>Decrypts all texts in place; a text that cannot be decrypted is replaced by the reason.</summary>
    public void OpenOrExplain(TaskState task)
    {
        foreach (var text in All)
        {
            if (DataCipher.IsMarked(text.Get(task)))
                text.Set(task, Explain(text, task));
        }
    }

    /// <summary>The stored form of a task: the task itself if nothing changes, otherwise a copy.</summary>
    public TaskState Seal(TaskState task, TaskText[] texts)
    {
        if (!Array.Exists(texts, text => _cipher.Changes(text.Get(task))) && !task.Events.Any(e => _cipher.Changes(e.Error)))
            return task;
        var copy = task.CopyForStorage(e => _cipher.Changes(e.Error) ? Seal(e) : e);
        foreach (var text in texts)
            text.Set(copy, _cipher.Seal(text.At(copy), text.Get(copy)));
        return copy;
    }

    /// <summary>The outbox gets the beginning of the error, the history of the task the whole.</summary>
    private TaskEvent Seal(TaskEvent e) =>
        e.With(_cipher.Seal(Place.Error(e.TaskId), e.Error!), _cipher.Seal(Place.Error(e.TaskId), TaskEvent.Cut(e.Error)!));

    /// <summary>Decrypts what a batch reads of its tasks.</summary>
    /// <exception cref="UnreadableDataException">A text cannot be decrypted.</exception>
    public static EndedBatchItem Open(DataCipher cipher, EndedBatchItem line) =>
        !DataCipher.IsMarked(line.Result) && !DataCipher.IsMarked(line.Error) && !DataCipher.IsMarked(line.Headers)
            ? line
            : line with
            {
                Result = cipher.Open(Place.Result(line.Id), line.Result),
                Error = cipher.OpenOrExplain(Place.Error(line.Id), line.Error, asJson: false),
                Headers = cipher.Open(All[1].At(line.Id), line.Headers),
            };

    /// <summary>Decrypts the error of an event.</summary>
    public void Open(TaskEvent taskEvent) => taskEvent.Error = OpenError(taskEvent.TaskId, taskEvent.Error);

    /// <summary>Decrypts an error; a text that cannot be decrypted is replaced by the reason.</summary>
    public string? OpenError(Guid id, string? error) => _cipher.OpenOrExplain(Place.Error(id), error, asJson: false);

    /// <summary>Encrypts a payload for storage with the existing task that has the same dedupe key.</summary>
    public string SealPayload(Guid id, string payload) => _cipher.Seal(All[0].At(id), payload);

    /// <summary>Decrypts a payload.</summary>
    /// <exception cref="UnreadableDataException">It cannot be decrypted.</exception>
    public string OpenPayload(Guid id, string stored) => _cipher.Open(All[0].At(id), stored);

    /// <summary>The decrypted text, or why it cannot be decrypted.</summary>
    public string? Explain(TaskText text, TaskState task) => _cipher.OpenOrExplain(text.At(task), text.Get(task), text.IsJson);
}

/// <summary>An encrypted text of a task.</summary>
internal sealed record TaskText(string Field, Func<TaskState, string?> Get, Action<TaskState, string?> Set)
{
    /// <summary>Whether the text is JSON rather than text for humans.</summary>
    public bool IsJson { get; init; } = true;

    public Place At(TaskState task) => At(task.CorrelationId);

    public Place At(Guid id) => new(Field, id);
}
