namespace TaskQueue.Engine.Callbacks;

/// <summary>Sends callbacks again that were delivered or given up.</summary>
public interface ICallbackRepeats
{
    /// <summary>Makes a callback due once more.</summary>
    /// <param name="subject">Its task or batch.</param>
    /// <param name="id">The callback.</param>
    /// <param name="now">When it is due.</param>
    /// <returns>The callback; null if the task or batch has none with this id.</returns>
    /// <remarks>A callback that waits for an attempt is returned as it is.</remarks>
    Task<(Callback Callback, bool IsRepeated)?> RepeatAsync(Guid subject, long id, DateTime now);
}
