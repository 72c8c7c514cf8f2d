using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine.Draining;

/// <summary>Section <c>TaskQueue:Drain</c>: graceful shutdown of a process.</summary>
public sealed class DrainOptions
{
    /// <summary>
    /// Seconds between SIGTERM and the listener closing: readiness is 503 but requests are still served, so that load balancers can react.
    /// </summary>
    /// <value>0; 0 to 600 seconds.</value>
    [Range(0d, 600d)]
    public double AnnounceSeconds { get; set; }

    /// <summary>Seconds that running work and requests may then continue; the rest is released.</summary>
    /// <value>25; 0 to 86,400 seconds.</value>
    [Range(0d, 86_400d)]
    public double GraceSeconds { get; set; } = 25;

    /// <summary>Time to release the remaining work and to stop the bus and the database cleanly.</summary>
    private static readonly TimeSpan Reserve = TimeSpan.FromSeconds(10);

    /// <summary><see cref="AnnounceSeconds"/> as a time span.</summary>
    public TimeSpan Announce => TimeSpan.FromSeconds(AnnounceSeconds);

    /// <summary><see cref="GraceSeconds"/> as a time span.</summary>
    public TimeSpan Grace => TimeSpan.FromSeconds(GraceSeconds);

    /// <summary>Maximum duration of a shutdown.</summary>
    public TimeSpan Longest => Announce + Grace + Reserve;
}
