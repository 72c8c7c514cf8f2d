using TaskQueue.Engine.Auth;

namespace TaskQueue.Engine.Callbacks;

/// <summary>Lists callbacks of all tasks and batches.</summary>
public interface ICallbackQueries
{
    /// <summary>
    /// Lists callbacks that the caller may see, newest first: those of tasks and batches that it sees, and those of its tenant whose task
    /// is gone. A page looks at a bounded number of callbacks, so it may have few rows or none and still not be the last.
    /// </summary>
    /// <param name="filter">Which callbacks.</param>
    /// <param name="before">Only callbacks with a smaller id; null begins with the newest.</param>
    /// <param name="max">Largest number of rows.</param>
    /// <param name="access">The caller's access.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    Task<CallbackPage> ListAsync(CallbackFilter filter, long? before, int max, Access access, CancellationToken cancellationToken);
}

/// <summary>Which callbacks to list; null is any.</summary>
/// <param name="State">State of the callback.</param>
/// <param name="Queue">Base name of the queue of its task or batch.</param>
public sealed record CallbackFilter(CallbackState? State, string? Queue);

/// <summary>A callback, without its body.</summary>
/// <param name="Callback">The callback.</param>
/// <param name="Queue">Base name of the queue of its task or batch; null if that is gone.</param>
public sealed record ListedCallback(Callback Callback, string? Queue);

/// <summary>A page of callbacks.</summary>
/// <param name="Callbacks">Newest first.</param>
/// <param name="Next">The next page has smaller ids than this; null at the end.</param>
public sealed record CallbackPage(IReadOnlyList<ListedCallback> Callbacks, long? Next);
