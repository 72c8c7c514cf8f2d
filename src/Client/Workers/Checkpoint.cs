using System.Text.Json;

namespace TaskQueue.Client;

/// <summary>
/// The form in which the server stores a checkpoint: as a member of the progress, so that one text has both and the next claim returns it.
/// </summary>
internal static class Checkpoint
{
    private const string Member = "$checkpoint", Other = "$progress";

    /// <summary>A checkpoint adds a level to a value that may have as many as JSON is read with by default.</summary>
    private static readonly JsonDocumentOptions Deep = new() { MaxDepth = 128 };

    /// <summary>The progress as it is sent. An object gets another member; other progress becomes a member itself.</summary>
    /// <param name="progress">JSON text; null if none was reported.</param>
    /// <param name="checkpoint">JSON text; null if there is none.</param>
    public static string Join(string? progress, string? checkpoint)
    {
        if (checkpoint is null)
            return progress ?? "null";
        if (progress is null)
            return $$"""{"{{Member}}":{{checkpoint}}}""";
        var text = progress.Trim();
        if (text[0] != '{')
            return $$"""{"{{Member}}":{{checkpoint}},"{{Other}}":{{text}}}""";
        var rest = text[1..].TrimStart();
        return $$"""{"{{Member}}":{{checkpoint}}{{(rest[0] == '}' ? "" : ",")}}{{rest}}""";
    }

    /// <summary>The checkpoint in a progress as JSON text; null if it has none.</summary>
    public static string? Of(string? progress)
    {
        if (progress is null || !progress.Contains(Member, StringComparison.Ordinal))
            return null;
        using var document = JsonDocument.Parse(progress, Deep);
        return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty(Member, out var found)
            ? found.GetRawText() : null;
    }
}
