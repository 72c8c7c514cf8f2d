using System.Text.Json;

namespace TaskQueue.Client;

/// <summary>Checks JSON that is passed on as text.</summary>
internal static class JsonText
{
    /// <exception cref="ArgumentException">The text is not JSON.</exception>
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
