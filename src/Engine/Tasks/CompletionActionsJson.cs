using System.Text.Json;
using System.Text.Json.Serialization;

namespace TaskQueue.Engine.Tasks;

/// <summary>Serializes <see cref="CompletionActions"/> as stored with tasks.</summary>
public static class CompletionActionsJson
{
    /// <summary>Serializes completion actions; null if there are none.</summary>
    internal static string? ToText(CompletionActions? actions) =>
        actions is null || actions == new CompletionActions() ? null
            : JsonSerializer.Serialize(actions, CompletionActionsContext.Default.CompletionActions);

    /// <summary>The completion actions of a task, or null.</summary>
    public static CompletionActions? Of(TaskState task) =>
        task.CompletionActions is null ? null
            : task.CompletionActionsRead ??=
                JsonSerializer.Deserialize(task.CompletionActions, CompletionActionsContext.Default.CompletionActions);

    /// <summary>The outcome of a batch item: decided by the status in the result (bella.md 12), a success if there is none.</summary>
    internal static BatchItemOutcome LineEnd(TaskEventType type, string? result) =>
        type != TaskEventType.Completed ? BatchItemOutcome.Lost : StatusOf(result) is >= 200 and < 300 ? BatchItemOutcome.Succeeded
            : BatchItemOutcome.Refused;

    /// <summary>The <c>status_code</c> of a result: a number, or text that is one; 200 if there is none.</summary>
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
            return 200; // free text of a bus worker, or half of a surrogate pair
        }
    }
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(CompletionActions))]
internal sealed partial class CompletionActionsContext : JsonSerializerContext;
