namespace TaskQueue.Client;

/// <summary>Progress that waits for the next heartbeat, and those who wait for it.</summary>
internal sealed class PendingProgress
{
    private TaskCompletionSource? _told;
    private List<TaskCompletionSource>? _saved;

    /// <summary>JSON text; null if there is nothing new.</summary>
    public string? Json { get; private set; }

    /// <summary>Whether somebody waits until the server has it.</summary>
    public bool IsAwaited => _saved is not null;

    /// <summary>Replaces the text.</summary>
    /// <returns>Completes when a heartbeat with it was sent, whether it arrived or not.</returns>
    public Task Say(string json)
    {
        Json = json;
        return (_told ??= New()).Task;
    }

    /// <summary>Replaces the text.</summary>
    /// <returns>Completes when the server has it, or a later one; cancelled if the attempt ends before.</returns>
    public Task Save(string json)
    {
        Json = json;
        var saved = New();
        (_saved ??= []).Add(saved);
        return saved.Task;
    }

    /// <summary>Adds what a failed heartbeat carried; newer text wins, and includes the older checkpoint.</summary>
    public void PutBack(PendingProgress failed)
    {
        Json ??= failed.Json;
        if (failed._saved is not { } older)
            return;
        (_saved ??= []).AddRange(older);
        failed._saved = null;
    }

    /// <summary>A heartbeat with it was sent.</summary>
    public void Sent(bool arrived)
    {
        _told?.TrySetResult();
        if (!arrived || _saved is not { } saved)
            return;
        foreach (var one in saved)
            one.TrySetResult();
    }

    /// <summary>The server refuses it, and would refuse it again.</summary>
    public void Refuse(Exception fault)
    {
        _told?.TrySetResult();
        foreach (var one in _saved ?? [])
            one.TrySetException(fault);
    }

    /// <summary>No heartbeat will carry it any more.</summary>
    public void End()
    {
        _told?.TrySetResult();
        foreach (var one in _saved ?? [])
            one.TrySetCanceled();
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
