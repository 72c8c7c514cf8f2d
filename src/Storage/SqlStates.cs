using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage;

/// <summary>State numbers as SQL text, for statements that are constants: see <see cref="TaskStates"/>.</summary>
public static class SqlStates
{
    /// <summary>Pending or retrying: a list for <c>in</c>.</summary>
    public const string Waiting = "(3, 7)";

    /// <summary>Completed, failed, cancelled or expired: a list for <c>in</c>.</summary>
    public const string Finished = "(5, 6, 8, 9)";

    /// <summary>Failed, cancelled or expired: a list for <c>in</c>.</summary>
    public const string Unsuccessful = "(6, 8, 9)";

    /// <summary>Running.</summary>
    public const string Running = "4";

    /// <summary><see cref="BatchStates.InProgress"/> of a batch.</summary>
    public const string BatchInProgress = "4";

    /// <summary><see cref="CallbackState.Waiting"/> of a callback.</summary>
    public const string CallbackWaiting = "0";
}
