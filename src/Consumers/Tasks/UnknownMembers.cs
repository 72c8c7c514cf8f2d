using System.Text.Json;
using System.Text.Json.Nodes;
using TaskQueue.Contracts;
using TaskQueue.Engine;

namespace TaskQueue.Consumers.Tasks;

/// <summary>Names the members of a message that its entries do not have: a misspelled one would silently have no effect.</summary>
internal static class UnknownMembers
{
    private const int MaxName = 64;

    public static readonly IReadOnlyList<string> OfTask = NamesOf(typeof(SubmittedTask));

    public static readonly IReadOnlyList<string> OfOutcome = NamesOf(typeof(AttemptOutcome));

    /// <summary>The problem, or null. A member that is null says nothing.</summary>
    public static string? Problem(JsonObject? unknown, IReadOnlyList<string> known)
    {
        if (unknown is not { Count: > 0 } || unknown.FirstOrDefault(m => m.Value is not null).Key is not { } key)
            return null;
        var name = TextRules.Cut(key, MaxName);
        return $"{name} is not a member of this entry{Nearest.Hint(name, known)}";
    }

    private static List<string> NamesOf(Type type) =>
        [.. type.GetProperties().Where(p => p.PropertyType != typeof(JsonObject))
            .Select(p => JsonNamingPolicy.CamelCase.ConvertName(p.Name))];
}
