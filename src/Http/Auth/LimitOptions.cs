using System.ComponentModel.DataAnnotations;
using TaskQueue.Engine.Auth;

namespace TaskQueue.Http.Auth;

/// <summary>
/// Section <c>TaskQueue:Limits</c>: how many requests there may be, and how slow they may be. A change counts at once, but for what the
/// server
/// itself limits: connections, headers and the rate of answers.
/// </summary>
internal sealed class LimitOptions : IValidatableObject
{
    private const int MaxNumber = 1_000_000_000;

    /// <summary>
    /// Requests a second of each caller whose key has no rate of its own; of all together where nobody has to say who they are.
    /// </summary>
    /// <value>Null: no limit.</value>
    public int? PerSecond { get; set; }

    /// <summary>Requests at once.</summary>
    /// <value>Null: as many as a second brings.</value>
    public int? Burst { get; set; }

    /// <summary>Requests that a process works on at a time, without those that may wait: see <see cref="RouteScopes.MayWait"/>.</summary>
    /// <value>1024: twice what two groups commit together. 0 is no limit.</value>
    public int MaxConcurrentRequests { get; set; } = 1024;

    /// <summary>
    /// Requests a second, from one address, for all that nobody needs a key for: <c>/health</c>, <c>/openapi</c>, routes that do not exist.
    /// </summary>
    /// <value>200, and twice that at once. 0 is no limit.</value>
    public int OpenPerSecond { get; set; } = 200;

    /// <summary>Such requests that a process works on at a time.</summary>
    /// <value>64; 0 is no limit.</value>
    public int MaxOpenRequests { get; set; } = 64;

    /// <summary>Connections of a process.</summary>
    /// <value>Null: one for each 128 KiB of <c>TaskQueue:Limits:MemoryBytes</c>, which is what it may buffer; 256 to 131,072. 0 is no
    /// limit.</value>
    public int? MaxConnections { get; set; }

    /// <summary>Least bytes a second of a request body, over each five seconds.</summary>
    /// <value>1024; 0 is no limit.</value>
    public long MinRequestBytesPerSecond { get; set; } = 1024;

    /// <summary>Least bytes a second that the reader of an answer takes, while something waits for it, on the average.</summary>
    /// <value>4096; 0 is no limit.</value>
    public long MinResponseBytesPerSecond { get; set; } = 4096;

    /// <summary>Bytes of all headers of a request.</summary>
    /// <value>32 KiB; 4 KiB to 1 MiB.</value>
    public int MaxHeaderBytes { get; set; } = 32 * 1024;

    /// <summary>Headers of a request.</summary>
    /// <value>100; 10 to 1000.</value>
    public int MaxHeaders { get; set; } = 100;

    /// <summary>Credentials of one address that are checked and found invalid; beyond it unknown ones are refused unseen.</summary>
    public RequestRate FailedAuthentications { get; set; } = new() { PerSecond = 1, Burst = 10 };

    /// <summary>The rate, where there is one.</summary>
    public RequestRate? Rate => PerSecond is { } rate ? new RequestRate { PerSecond = rate, Burst = Burst } : null;

    /// <inheritdoc />
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (PerSecond is null && Burst is not null)
            yield return new("TaskQueue:Limits:Burst needs TaskQueue:Limits:PerSecond");
        if (Rate?.Problem is { } problem)
            yield return new($"TaskQueue:Limits is a rate {problem}");
        foreach (var (key, value) in new (string, long)[]
        {
            (nameof(MaxConcurrentRequests), MaxConcurrentRequests), (nameof(OpenPerSecond), OpenPerSecond),
                (nameof(MaxOpenRequests), MaxOpenRequests),
            (nameof(MaxConnections), MaxConnections ?? 0), (nameof(MinRequestBytesPerSecond), MinRequestBytesPerSecond),
                (nameof(MinResponseBytesPerSecond), MinResponseBytesPerSecond),
        })
        {
            if (value is < 0 or > MaxNumber)
                yield return new($"TaskQueue:Limits:{key} must be 1 to {MaxNumber}, or 0 for no limit");
        }

        if (MaxHeaderBytes is < 4096 or > 1024 * 1024)
            yield return new("TaskQueue:Limits:MaxHeaderBytes must be 4096 to 1048576");
        if (MaxHeaders is < 10 or > 1000)
            yield return new("TaskQueue:Limits:MaxHeaders must be 10 to 1000");
        if (FailedAuthentications.Problem is { } wrong)
            yield return new($"TaskQueue:Limits:FailedAuthentications is a rate {wrong}");
    }
}
