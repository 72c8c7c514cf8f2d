using System.ComponentModel.DataAnnotations;
using TaskQueue.Engine.Auth;

namespace TaskQueue.Api.Auth;

/// <summary>Section <c>TaskQueue:Limits</c>: how many requests there may be; a change counts at once.</summary>
internal sealed class LimitOptions : IValidatableObject
{
    /// <summary>Requests a second of each caller whose key has no rate of its own; of all together where nobody has to say who they are.</summary>
    /// <value>Null: no limit.</value>
    public int? PerSecond { get; set; }

    /// <summary>Requests at once.</summary>
    /// <value>Null: as many as a second brings.</value>
    public int? Burst { get; set; }

    /// <summary>Requests that a process works on at a time, without those that may wait: see <see cref="RouteScopes.MayWait"/>.</summary>
    /// <value>Null: no limit.</value>
    public int? MaxConcurrentRequests { get; set; }

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
        if (FailedAuthentications.Problem is { } wrong)
            yield return new($"TaskQueue:Limits:FailedAuthentications is a rate {wrong}");
        if (MaxConcurrentRequests < 1)
            yield return new("TaskQueue:Limits:MaxConcurrentRequests must be at least 1");
    }
}
