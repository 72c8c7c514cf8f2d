namespace TaskQueue.Engine.Auth;

/// <summary>
/// Queue names as keys and roles list them: <c>*</c> matches every queue, <c>shop-*</c> those whose names begin with <c>shop-</c>,
/// <c>mail</c> only that queue. <c>shop-</c> and <c>shop_</c> are short for <c>shop-*</c> and <c>shop_*</c>.
/// </summary>
public sealed class QueuePatterns : IEquatable<QueuePatterns>
{
    /// <summary>The syntax of a pattern, for error messages.</summary>
    public const string Rule = "a queue name, a prefix such as 'shop-*', or '*'";

    /// <summary>Matches every queue.</summary>
    public static readonly QueuePatterns All = new(["*"]);

    /// <summary>Matches no queue.</summary>
    public static readonly QueuePatterns None = new([]);

    private QueuePatterns(IReadOnlyList<string> patterns)
        : this(patterns, [.. patterns.Where(p => !IsPrefix(p))], [.. patterns.Where(IsPrefix).Select(p => p.TrimEnd('*'))])
    {
    }

    private QueuePatterns(IReadOnlyList<string> patterns, IReadOnlyList<string> names, IReadOnlyList<string> prefixes)
    {
        Patterns = patterns;
        IsAll = prefixes.Contains("");
        (Names, Prefixes) = IsAll ? ([], []) : (names, prefixes);
    }

    /// <summary>The patterns as written.</summary>
    public IReadOnlyList<string> Patterns { get; }

    /// <summary>Whether every queue matches.</summary>
    public bool IsAll { get; }

    /// <summary>Whether no queue matches.</summary>
    public bool IsNone => Patterns.Count == 0;

    /// <summary>Names that match exactly; empty if <see cref="IsAll"/>.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Prefixes of names that match; empty if <see cref="IsAll"/>.</summary>
    public IReadOnlyList<string> Prefixes { get; }

    /// <summary>Parses configured patterns; null is every queue.</summary>
    public static QueuePatterns Of(IEnumerable<string>? patterns) =>
        patterns is null ? All : patterns.ToArray() is { Length: > 0 } some ? new(some) : None;

    /// <summary>Matches exactly one queue, whatever its name ends in.</summary>
    public static QueuePatterns Only(string queue) => new([queue], [queue], []);

    /// <summary>Whether a text is a valid pattern.</summary>
    public static bool IsValid(string? pattern) =>
        pattern is "*" || (pattern is { Length: > 0 and <= 129 } && pattern.TrimEnd('*') is { Length: > 0 } name
            && pattern.Length - name.Length <= 1 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-'));

    /// <summary>Whether a queue matches.</summary>
    public bool Match(string queue)
    {
        if (IsAll)
            return true;
        foreach (var name in Names)
        {
            if (name == queue)
                return true;
        }

        foreach (var prefix in Prefixes)
        {
            if (queue.StartsWith(prefix, StringComparison.Ordinal))
                return true;
        }

        return false;
    }

    /// <summary>Whether these patterns match every queue that the other patterns match.</summary>
    public bool Covers(QueuePatterns other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return IsAll || (!other.IsAll && other.Names.All(Match)
            && other.Prefixes.All(prefix => Prefixes.Any(own => prefix.StartsWith(own, StringComparison.Ordinal))));
    }

    /// <summary>Matches every queue that either matches.</summary>
    public QueuePatterns Or(QueuePatterns other) =>
        IsAll || other.IsNone ? this : other.IsAll || IsNone ? other
            : new([.. Patterns, .. other.Patterns], [.. Names, .. other.Names], [.. Prefixes, .. other.Prefixes]);

    /// <inheritdoc />
    public bool Equals(QueuePatterns? other) => other is not null && Patterns.SequenceEqual(other.Patterns);

    /// <inheritdoc />
    public override bool Equals(object? obj) => Equals(obj as QueuePatterns);

    /// <inheritdoc />
    public override int GetHashCode() => Patterns.Aggregate(Patterns.Count, HashCode.Combine);

    /// <inheritdoc />
    public override string ToString() => string.Join(", ", Patterns);

    private static bool IsPrefix(string pattern) => pattern[^1] is '*' or '-' or '_';
}
