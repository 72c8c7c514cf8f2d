using System.Text.Json;
using System.Text.Json.Serialization;

namespace TaskQueue.Engine.Tasks;

/// <summary>Reads and writes <see cref="CompletionActions"/> as tasks keep it, and what depends on it.</summary>
public static class CompletionActionsJson
{
    /// <summary>The text of an ending; null where it says nothing.</summary>
    internal static string? ToText(CompletionActions? ending) =>
        ending is null || ending == new CompletionActions() ? null : JsonSerializer.Serialize(ending, EndingJson.Default.CompletionActions);

    /// <summary>The ending of a task, or null.</summary>
    public static CompletionActions? Of(TaskState task) =>
        task.Ending is null ? null : task.EndingRead ??= JsonSerializer.Deserialize(task.Ending, EndingJson.Default.CompletionActions);

    /// <summary>How the line of a batch ended: a result says its status (bella.md 12), and is a success where it does not.</summary>
    internal static BatchItemOutcome LineEnd(TaskEventType type, string? result) =>
        type != TaskEventType.Completed ? BatchItemOutcome.Lost : StatusOf(result) is >= 200 and < 300 ? BatchItemOutcome.Succeeded
            : BatchItemOutcome.Refused;

    /// <summary>The <c>status_code</c> of a result: a number, or text that is one; 200 where there is none.</summary>
    public static int StatusOf(string? result)
    {
        if (result is null)
            return 200;
        try
        {
            using var document = JsonDocument.Parse(result);
            if (document.RootElement.ValueKind != JsonValueKind.Object
                || !document.RootElement.TryGetProperty("status_code", out var status))
                return 200;
            return status.ValueKind switch
            {
                JsonValueKind.Number when status.TryGetInt32(out var number) => number,
                JsonValueKind.String when int.TryParse(status.GetString(), out var number) => number,
                _ => 200,
            };
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            return 200; // a bus worker's text, or one with half of a surrogate pair
        }
    }
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(CompletionActions))]
internal sealed partial class EndingJson : JsonSerializerContext;
