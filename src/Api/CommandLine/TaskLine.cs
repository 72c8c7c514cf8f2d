using System.Buffers;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Unicode;
using TaskQueue.Contracts;

namespace TaskQueue.Api.CommandLine;

/// <summary>Converts a line to a POST /tasks body; the command line provides the defaults.</summary>
internal sealed class TaskLine(JsonObject defaults)
{
    /// <summary>What the server reads of a task in a list, whose own two levels count too.</summary>
    private const int MaxDepth = 62;

    internal static readonly JsonDocumentOptions Options = new() { MaxDepth = MaxDepth };

    /// <summary>A line ready to be sent.</summary>
    /// <param name="Number">Line number.</param>
    /// <param name="Json">The body.</param>
    /// <param name="MadeId">The generated id; null if the line has its own.</param>
    public sealed record Ready(long Number, byte[] Json, Guid? MadeId);

    public static bool IsBlank(FileLine line) => line.Bytes is { } bytes && bytes.AsSpan().IndexOfAnyExcept(" \t\r"u8) < 0;

    /// <exception cref="FormatException">The line is not a task.</exception>
    public Ready Read(FileLine line)
    {
        var bytes = line.Bytes ?? throw new FormatException($"longer than {JsonLines.Longest / 1024 / 1024} MiB");
        if (!Utf8.IsValid(bytes))
            throw new FormatException("not UTF-8");
        try
        {
            using var document = JsonDocument.Parse(
                bytes.AsMemory(line.Number == 1 && bytes.AsSpan().StartsWith("\uFEFF"u8) ? 3 : 0), Options);
            return document.RootElement.ValueKind == JsonValueKind.Object ? Write(line.Number, document.RootElement)
                : throw new FormatException("not a JSON object");
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            throw new FormatException($"not JSON of at most {MaxDepth} levels", fault);
        }
    }

    private Ready Write(long number, JsonElement task)
    {
        var buffer = new ArrayBufferWriter<byte>();
        Guid? made = null;
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            foreach (var member in task.EnumerateObject())
                member.WriteTo(writer);
            foreach (var (name, value) in defaults.Where(d => !task.TryGetProperty(d.Key, out _)))
            {
                writer.WritePropertyName(name);
                value!.WriteTo(writer);
            }

            if (!task.TryGetProperty("id", out _))
                writer.WriteString("id", (made = TaskId.New(TimeProvider.System)).Value);
            writer.WriteEndObject();
        }

        return new Ready(number, buffer.WrittenSpan.ToArray(), made);
    }
}
