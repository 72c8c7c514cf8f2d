namespace TaskQueue.Engine.Tasks;

/// <summary>Numbers of the machine's states in the database, and their words on native routes.</summary>
public static class TaskStates
{
    /// <summary>Accepted, waits for its due time and a worker. From submit, or from a retry by hand.</summary>
    public const int Pending = 3;

    /// <summary>A worker holds a lease on the current attempt. From start or claim.</summary>
    public const int Running = 4;

    /// <summary>Terminal: an attempt succeeded.</summary>
    public const int Completed = 5;

    /// <summary>Terminal until retried by hand: an attempt failed for good, or none was left.</summary>
    public const int Failed = 6;

    /// <summary>An attempt failed or its lease expired; waits for its due time.</summary>
    public const int Retrying = 7;

    /// <summary>Terminal until retried by hand: cancelled before it ended.</summary>
    public const int Cancelled = 8;

    /// <summary>Terminal: not started before its expiry.</summary>
    public const int Expired = 9;

    private static readonly string[] Words = ["pending", "running", "completed", "failed", "retrying", "cancelled", "expired"];

    /// <summary>All seven.</summary>
    public static IEnumerable<int> All => Enumerable.Range(Pending, Words.Length);

    /// <summary>Whether nothing but a retry by hand can change the task any more.</summary>
    public static bool IsTerminal(int state) => state is Completed or Failed or Cancelled or Expired;

    /// <summary>The word of a state, in lower case.</summary>
    public static string Word(int state) => Words[state - Pending];

    /// <summary>The state of a word, or null.</summary>
    public static int? Parse(string word) => Array.IndexOf(Words, word) is var index and >= 0 ? index + Pending : null;
}
