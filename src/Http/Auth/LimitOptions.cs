using System.ComponentModel.DataAnnotations;
using TaskQueue.Engine.Auth;

namespace TaskQueue.Http.Auth;

/// <summary>
/// Section <c>TaskQueue:Limits</c>: limits on the number and the pace of requests. Changes take effect immediately, except those
/// enforced by the web server: connections, headers and the rate of responses.
/// </summary>
internal sealed class LimitOptions : IValidatableObject
{
    private const int MaxNumber = 1_000_000_000;

    /// <summary>
    /// Requests per second for each caller whose key has no rate of its own; for all callers together if authentication is off.
    /// </summary>
    /// <value>Null: no limit.</value>
    public int? PerSecond { get; set; }

    /// <summary>Burst: requests allowed at once.</summary>
    /// <value>Null: same as PerSecond.</value>
    public int? Burst { get; set; }

    /// <summary>Maximum concurrent requests per process, not counting long-polls and streams.</summary>
    /// <value>1024: twice what two commit groups hold. 0: no limit.</value>
    public int MaxConcurrentRequests { get; set; } = 1024;

    /// <summary>Requests per second per address that need no key: <c>/health</c>, <c>/openapi</c>, and unknown routes.</summary>
    /// <value>200, with a burst of twice that. 0: no limit.</value>
    public int OpenPerSecond { get; set; } = 200;

    /// <summary>Maximum concurrent requests without a key per process.</summary>
    /// <value>64; 0: no limit.</value>
    public int MaxOpenRequests { get; set; } = 64;

    /// <summary>Maximum connections per process.</summary>
    /// <value>Null: one per 128 KiB of <c>TaskQueue:Limits:MemoryBytes</c>, which is what a connection may buffer; 256 to 131,072.
    /// 0: no limit.</value>
    public int? MaxConnections { get; set; }

    /// <summary>Minimum bytes per second of a request body, over each five seconds.</summary>
    /// <value>1024; 0: no limit.</value>
    public long MinRequestBytesPerSecond { get; set; } = 1024;

    /// <summary>Minimum average bytes per second at which a client must read a response while data is pending.</summary>
    /// <value>4096; 0: no limit.</value>
    public long MinResponseBytesPerSecond { get; set; } = 4096;

    /// <summary>Maximum total bytes of a request's headers.</summary>
    /// <value>32 KiB; 4 KiB to 1 MiB.</value>
    public int MaxHeaderBytes { get; set; } = 32 * 1024;

    /// <summary>Maximum number of headers per request.</summary>
    /// <value>100; 10 to 1000.</value>
    public int MaxHeaders { get; set; } = 100;

    /// <summary>Rate of invalid credentials per address; above it, unknown credentials are refused without being checked.</summary>
    public RequestRate FailedAuthentications { get; set; } = new() { PerSecond = 1, Burst = 10 };

    /// <summary>The default rate, or null.</summary>
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
