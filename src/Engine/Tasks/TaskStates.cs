namespace TaskQueue.Engine.Tasks;

/// <summary>State numbers stored in the database, and their names on native routes.</summary>
public static class TaskStates
{
    /// <summary>Waits for its due time and a worker. Entered by submit or a retry by hand.</summary>
    public const int Pending = 3;

    /// <summary>A worker holds a lease on the current attempt. Entered by start or claim.</summary>
    public const int Running = 4;

    /// <summary>Terminal: an attempt succeeded.</summary>
    public const int Completed = 5;

    /// <summary>Terminal until retried by hand: an attempt failed permanently, or none was left.</summary>
    public const int Failed = 6;

    /// <summary>An attempt failed or its lease expired; waits for its due time.</summary>
    public const int Retrying = 7;

    /// <summary>Terminal until retried by hand: cancelled before it ended.</summary>
    public const int Cancelled = 8;

    /// <summary>Terminal: not started before its expiry.</summary>
    public const int Expired = 9;

    private static readonly string[] Words = ["pending", "running", "completed", "failed", "retrying", "cancelled", "expired"];

    /// <summary>All states.</summary>
    public static IEnumerable<int> All => Enumerable.Range(Pending, Words.Length);

    /// <summary>Whether only a retry by hand can change the task.</summary>
    public static bool IsTerminal(int state) => state is Completed or Failed or Cancelled or Expired;

    /// <summary>The name of a state, in lower case.</summary>
    public static string Word(int state) => Words[state - Pending];

    /// <summary>The state with a name, or null.</summary>
    public static int? Parse(string word) => Array.IndexOf(Words, word) is var index and >= 0 ? index + Pending : null;
}
