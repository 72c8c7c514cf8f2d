using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using TaskQueue.Client;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>
/// Tells what a running task waits for, as its progress: <c>{"waiting_for", "upstream", "until"}</c>. Short waits are not worth a write.
/// </summary>
/// <param name="attempt">The attempt.</param>
/// <param name="time">The clock.</param>
/// <param name="upstream">Endpoint of the upstream: submitters are not told its address.</param>
internal sealed class WaitNote(Attempt attempt, TimeProvider time, string upstream)
{
    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(1);
    private static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private bool _isSaid;

    /// <summary>The task waits.</summary>
    /// <param name="wait">For how long at first.</param>
    /// <param name="reason">Why; null: for its turn at the pace of the upstream.</param>
    public void Waits(TimeSpan wait, string? reason)
    {
        if (wait < Shortest)
            return;
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Plain))
        {
            json.WriteStartObject();
            json.WriteString("waiting_for", reason ?? "its turn at the pace of the upstream");
            json.WriteString("upstream", upstream);
            json.WriteString("until", time.GetUtcNow().UtcDateTime + wait);
            json.WriteEndObject();
        }

        _isSaid = true;
        _ = attempt.SayProgress(Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length));
    }

    /// <summary>The wait is over.</summary>
    public void Over()
    {
        if (!_isSaid)
            return;
        _isSaid = false;
        _ = attempt.SayProgress("null");
    }
}
