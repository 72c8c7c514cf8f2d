using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine.Draining;

/// <summary>Section <c>TaskQueue:Drain</c>: how a process stops.</summary>
public sealed class DrainOptions
{
    /// <summary>
    /// Between SIGTERM and the listener closing: readiness is 503 already and everything is still served, so that load balancers can take
    /// note.
    /// </summary>
    /// <value>0; 0 to 600 seconds.</value>
    [Range(0d, 600d)]
    public double AnnounceSeconds { get; set; }

    /// <summary>How long running work and requests may go on after that; what is left is given back.</summary>
    /// <value>25; 0 to 86,400 seconds.</value>
    [Range(0d, 86_400d)]
    public double GraceSeconds { get; set; } = 25;

    /// <summary>To give back what is left, and for the bus and the database to end in good order.</summary>
    private static readonly TimeSpan Reserve = TimeSpan.FromSeconds(10);

    /// <summary>The first as a time.</summary>
    public TimeSpan Announce => TimeSpan.FromSeconds(AnnounceSeconds);

    /// <summary>The second as a time.</summary>
    public TimeSpan Grace => TimeSpan.FromSeconds(GraceSeconds);

    /// <summary>The longest that a process takes to stop.</summary>
    public TimeSpan Longest => Announce + Grace + Reserve;
}
