namespace TaskQueue.Engine.Auth;

/// <summary>What a key or a token allows.</summary>
[Flags]
public enum Scope
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Submit tasks, and cancel, retry or delete them.</summary>
    Enqueue = 1,

    /// <summary>Claim tasks, whoever owns them, and report on them.</summary>
    Work = 2,

    /// <summary>Look at tasks, queues and schedules.</summary>
    Read = 4,

    /// <summary>Change queues and schedules, and see what every tenant owns in them.</summary>
    Admin = 8,

    /// <summary>Everything.</summary>
    All = Enqueue | Work | Read | Admin,
}

/// <summary>A scope in some queues: <c>admin:shop-*</c>, or <c>read</c> in those of its key.</summary>
/// <param name="Scope">What is allowed; <see cref="Scope.All"/> for an administrator.</param>
/// <param name="Queues">Where.</param>
public sealed record Grant(Scope Scope, QueuePatterns Queues);

/// <summary>Scopes as they are written.</summary>
public static class Scopes
{
    /// <summary>What a scope must look like, for errors.</summary>
    public const string Rule = "enqueue, work, read or admin, which may name its queues as in admin:shop-*";

    /// <summary>The scopes of a key that names none.</summary>
    public static IReadOnlyList<string> Default { get; } = ["enqueue", "read"];

    /// <summary>The scope of a word without queues; null where it is none. An administrator may do everything.</summary>
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
    /// Whether some scope is work in queues that nobody named: it would hand out every tenant's tasks. See <see cref="Grants"/>.
    /// </summary>
    public static bool IsWorkEverywhere(IEnumerable<string> scopes, IEnumerable<string>? queues) =>
        queues is null && scopes.Any(s => Parse(s) == Scope.Work);

    /// <summary>What scopes allow; others are left out.</summary>
    /// <param name="scopes">As they are written.</param>
    /// <param name="queues">Patterns for the scopes that name no queues; null is all queues, but none for work.</param>
    public static IReadOnlyList<Grant> Grants(IEnumerable<string> scopes, IEnumerable<string>? queues)
    {
        var all = QueuePatterns.Of(queues);
        return [.. scopes.Where(IsValid).Select(Read)
            .Where(g => g.Scope != Scope.Work || queues is not null || !ReferenceEquals(g.Queues, all))];

        Grant Read(string text) =>
            text.Split(':', 2) is [var word, var pattern] ? new(Parse(word)!.Value, QueuePatterns.Of([pattern]))
                : new(Parse(text)!.Value, all);
    }

    /// <summary>The word of one scope.</summary>
    public static string Word(Scope scope) => scope.ToString().ToLowerInvariant();
}
