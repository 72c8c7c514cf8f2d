namespace TaskQueue.Engine.Auth;

/// <summary>Permissions of a key or token.</summary>
[Flags]
public enum Scope
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Submit tasks, and cancel, retry or delete them.</summary>
    Enqueue = 1,

    /// <summary>Claim tasks of any owner, and report on them.</summary>
    Work = 2,

    /// <summary>Read tasks, queues and schedules.</summary>
    Read = 4,

    /// <summary>Change queues and schedules, and see the work of every tenant in them.</summary>
    Admin = 8,

    /// <summary>Everything.</summary>
    All = Enqueue | Work | Read | Admin,
}

/// <summary>A scope in some queues: <c>admin:shop-*</c>, or <c>read</c> in the queues of its key.</summary>
/// <param name="Scope">What is permitted; <see cref="Scope.All"/> for an administrator.</param>
/// <param name="Queues">The queues it applies to.</param>
public sealed record Grant(Scope Scope, QueuePatterns Queues);

/// <summary>Parses and formats scopes.</summary>
public static class Scopes
{
    /// <summary>The syntax of a scope, for error messages.</summary>
    public const string Rule = "enqueue, work, read or admin, which may name its queues as in admin:shop-*";

    /// <summary>Scopes of a key that lists none.</summary>
    public static IReadOnlyList<string> Default { get; } = ["enqueue", "read"];

    /// <summary>Parses a scope without queues; null if it is none. An administrator may do everything.</summary>
    public static Scope? Parse(string? word) =>
        word?.ToLowerInvariant() switch
        {
            "enqueue" => Scope.Enqueue,
            "work" => Scope.Work,
            "read" => Scope.Read,
            "admin" => Scope.All,
            _ => null,
        };

    /// <summary>Whether a text is a scope, with or without queues.</summary>
    public static bool IsValid(string? text) => text?.Split(':', 2) switch
        {
            [var word] => Parse(word) is not null,
            [var word, var pattern] => Parse(word) is not null && QueuePatterns.IsValid(pattern),
            _ => false,
        };

    /// <summary>
    /// Whether some scope is work without an explicit list of queues: it would hand out every tenant's tasks. See <see cref="Grants"/>.
    /// </summary>
    public static bool IsWorkEverywhere(IEnumerable<string> scopes, IEnumerable<string>? queues) =>
        queues is null && scopes.Any(s => Parse(s) == Scope.Work);

    /// <summary>Parses scopes into grants; invalid ones are skipped.</summary>
    /// <param name="scopes">The scopes as written.</param>
    /// <param name="queues">Queue patterns for scopes that list no queues; null is all queues, but none for work.</param>
    public static IReadOnlyList<Grant> Grants(IEnumerable<string> scopes, IEnumerable<string>? queues)
    {
        var all = QueuePatterns.Of(queues);
        return [.. scopes.Where(IsValid).Select(Read)
            .Where(g => g.Scope != Scope.Work || queues is not null || !ReferenceEquals(g.Queues, all))];

        Grant Read(string text) =>
            text.Split(':', 2) is [var word, var pattern] ? new(Parse(word)!.Value, QueuePatterns.Of([pattern]))
                : new(Parse(text)!.Value, all);
    }

    /// <summary>Formats a single scope.</summary>
    public static string Word(Scope scope) => scope.ToString().ToLowerInvariant();
}
