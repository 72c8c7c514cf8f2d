using System.Text.Json;

namespace TaskQueue.Client;

/// <summary>JSON that is handed on as text.</summary>
internal static class JsonText
{
    /// <exception cref="ArgumentException">It is no JSON.</exception>
    public static void Check(string json, string name)
    {
        try
        {
            using var _ = JsonDocument.Parse(json);
        }
        catch (JsonException fault)
        {
            throw new ArgumentException($"must be JSON text: {fault.Message}", name, fault);
        }
    }
}
