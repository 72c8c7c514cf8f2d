using Microsoft.Extensions.Logging;

namespace TaskQueue.Client.Testing;

/// <summary>Options of a <see cref="TaskQueueTestHost"/>.</summary>
public sealed class TaskQueueTestHostOptions
{
    /// <summary>The time at which the host's clock starts; default: the machine's.</summary>
    public DateTimeOffset? Start { get; set; }

    /// <summary>
    /// Settings of the server by their configuration keys, such as <c>TaskQueue:MaxPayloadBytes</c>. Environment variables and files do not
    /// configure it.
    /// </summary>
    public IDictionary<string, string?> Settings { get; } = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);

    /// <summary>
    /// Receives what the server and the workers log, and is disposed with the host; null: warnings of the server go to the console.
    /// </summary>
    public ILoggerProvider? Log { get; set; }

    /// <summary>
    /// How long, by the machine's clock, starting, advancing and draining may take before they fail with what is still there; default 60 s.
    /// </summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(60);
}
