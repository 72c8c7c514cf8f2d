using System.Text.Json;
using System.Text.Json.Nodes;
using TaskQueue.Contracts;
using TaskQueue.Engine;

namespace TaskQueue.Consumers.Tasks;

/// <summary>Names the members of a message that its entries do not have: a misspelled one would silently have no effect.</summary>
internal static class UnknownMembers
{
    private const int MaxName = 64;

    private static readonly IReadOnlyList<string> OfMessage = NamesOf(typeof(SubmitTasks));

    private static readonly IReadOnlyList<string> OfTask = NamesOf(typeof(SubmittedTask));

    private static readonly IReadOnlyList<string> OfRetry = NamesOf(typeof(RetryPolicy));

    /// <summary>The problem of a message as a whole, or null.</summary>
    public static string? Problem(SubmitTasks message) => Problem(message.Unknown, OfMessage, "the message");

    /// <summary>The problem of a task, or null.</summary>
    public static string? Problem(SubmittedTask task) =>
        Problem(task.Unknown, OfTask, "this entry") ?? Problem(task.Retry?.Unknown, OfRetry, "retry");

    /// <summary>The names of unknown members. One that is null says nothing.</summary>
    public static IEnumerable<string> In(JsonObject? unknown) =>
        unknown is not { Count: > 0 } ? [] : unknown.Where(m => m.Value is not null).Select(m => TextRules.Cut(m.Key, MaxName));

    private static string? Problem(JsonObject? unknown, IReadOnlyList<string> known, string where) =>
        In(unknown).FirstOrDefault() is { } name ? $"{name} is not a member of {where}{Nearest.Hint(name, known)}" : null;

    public static IReadOnlyList<string> NamesOf(Type type) =>
        [.. type.GetProperties().Where(p => p.PropertyType != typeof(JsonObject))
            .Select(p => JsonNamingPolicy.CamelCase.ConvertName(p.Name))];
}
