namespace TaskQueue.Engine.Auth;

/// <summary>What a key or a token is good for.</summary>
[Flags]
public enum Scope
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Submit tasks, and cancel, retry or delete them.</summary>
    Enqueue = 1,

    /// <summary>Take tasks and report on them.</summary>
    Work = 2,

    /// <summary>Look at tasks, queues and schedules.</summary>
    Read = 4,

    /// <summary>Change queues and schedules, and see everybody's tasks.</summary>
    Admin = 8,

    /// <summary>What a key has that names no scopes.</summary>
    Plain = Enqueue | Work | Read,

    /// <summary>Everything.</summary>
    All = Plain | Admin,
}

/// <summary>Scopes in words.</summary>
public static class Scopes
{
    /// <summary>The words that there are, for errors.</summary>
    public const string Rule = "enqueue, work, read or admin";

    /// <summary>The scope of a word; null where it is none. An administrator may do everything.</summary>
    public static Scope? Parse(string? word) =>
        word?.ToLowerInvariant() switch
        {
            "enqueue" => Scope.Enqueue,
            "work" => Scope.Work,
            "read" => Scope.Read,
            "admin" => Scope.All,
            _ => null,
        };

    /// <summary>The word of one scope.</summary>
    public static string Word(Scope scope) => scope.ToString().ToLowerInvariant();
}
