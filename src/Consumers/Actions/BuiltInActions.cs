using System.Text.Encodings.Web;
using System.Text.Json;

namespace TaskQueue.Consumers.Actions;

/// <summary>The actions of the tutorial's worker (dtq-and-wippy.md B3): uppercase, sum, and a default for all others.</summary>
public static class BuiltInActions
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Runs the action named in a task's message.</summary>
    /// <param name="message">JSON of <c>{"action":…,"data":…}</c>.</param>
    /// <returns>JSON of <c>{"output":…}</c>.</returns>
    /// <exception cref="ActionFailedException">The data is invalid for the action; a retry would fail too.</exception>
    public static string Run(string message)
    {
        try
        {
            using var document = JsonDocument.Parse(message);
            var root = document.RootElement;
            var action = root.TryGetProperty("action", out var a) && a.ValueKind == JsonValueKind.String ? a.GetString() : null;
            var data = root.TryGetProperty("data", out var d) ? d : default;
            return action switch
            {
                "uppercase" => Output(Text(data).ToUpperInvariant()),
                "sum" => $"{{\"output\":{Sum(data)}}}",
                _ => Output("processed"),
            };
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            throw new ActionFailedException($"the payload cannot be read: {fault.Message}");
        }
    }

    private static string Output(string output) => $"{{\"output\":{JsonSerializer.Serialize(output, Plain)}}}";

    private static string Text(JsonElement data) =>
        Member(data, "text") is { ValueKind: not (JsonValueKind.Null or JsonValueKind.Undefined or JsonValueKind.False) } text
            ? text.ValueKind switch
            {
                JsonValueKind.String => text.GetString()!,
                JsonValueKind.Number => text.GetRawText(),
                _ => throw new ActionFailedException("data.text must be text"),
            }
            : "";

    /// <summary>Sums the numbers up to the first null; an integer if all of them are integers.</summary>
    private static string Sum(JsonElement data)
    {
        var numbers = Member(data, "numbers");
        if (numbers.ValueKind != JsonValueKind.Array)
        {
            return numbers.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null or JsonValueKind.False or JsonValueKind.Object
                ? "0"
                : throw new ActionFailedException("data.numbers must be a list of numbers");
        }

        Int128 whole = 0;
        var real = 0d;
        var isWhole = true;
        foreach (var n in numbers.EnumerateArray().TakeWhile(n => n.ValueKind != JsonValueKind.Null))
        {
            if (n.ValueKind != JsonValueKind.Number)
                throw new ActionFailedException("data.numbers must hold numbers only");
            isWhole &= n.TryGetInt64(out var value);
            whole += value;
            real += n.GetDouble();
        }

        return isWhole ? whole.ToString() : Real(real);
    }

    private static string Real(double value) =>
        double.IsFinite(value) ? JsonSerializer.Serialize(value) : throw new ActionFailedException("the sum is too large");

    private static JsonElement Member(JsonElement data, string name) =>
        data.ValueKind switch
        {
            JsonValueKind.Object => data.TryGetProperty(name, out var member) ? member : default,
            JsonValueKind.Number or JsonValueKind.True => throw new ActionFailedException("data must be an object"),
            _ => default,
        };
}

/// <summary>An action cannot process its data.</summary>
/// <param name="message">The problem.</param>
public sealed class ActionFailedException(string message) : Exception(message);
