using System.ComponentModel.DataAnnotations;
using TaskQueue.Engine.Auth;

namespace TaskQueue.Bus.Senders;

/// <summary>Section <c>TaskQueue:Bus</c>: permissions of RabbitMQ users. The broker verifies the user of a message.</summary>
public sealed class BusOptions : IValidatableObject
{
    /// <summary>Users that may submit tasks.</summary>
    /// <value>None. Without authentication and without users in this section every broker user is trusted.</value>
    public IList<BusProducerUser> Producers { get; } = [];

    /// <summary>Users that may report on tasks.</summary>
    public IList<BusWorkerUser> Workers { get; } = [];

    /// <summary>Users of the other processes of this server, if they differ from that of <c>ConnectionStrings:RabbitMq</c>.</summary>
    public IList<string> EngineUsers { get; } = [];

    /// <summary>Whether any users are configured.</summary>
    public bool HasUsers => Producers.Count > 0 || Workers.Count > 0 || EngineUsers.Count > 0;

    /// <inheritdoc />
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        var users = Producers.Select((p, i) => ($"Producers:{i}", p.Problem)).Concat(Workers.Select((w, i) => ($"Workers:{i}", w.Problem)));
        foreach (var (at, problem) in users)
        {
            if (problem is not null)
                yield return new($"TaskQueue:Bus:{at} {problem}");
        }

        foreach (var twice in Twice(Producers.Select(p => p.User)))
            yield return new($"TaskQueue:Bus:Producers lists the user '{twice}' twice");
        foreach (var twice in Twice(Workers.Select(w => w.User)))
            yield return new($"TaskQueue:Bus:Workers lists the user '{twice}' twice; list all its queues in one entry");
        foreach (var both in EngineUsers.Where(IsUser)
            .Intersect(Producers.Select(p => p.User).Concat(Workers.Select(w => w.User)), StringComparer.Ordinal))
            yield return new($"TaskQueue:Bus:EngineUsers has '{both}', which is among Producers or Workers too: a user of this server may "
                + "send anything, so give each a user of its own");
        if (EngineUsers.Any(user => !IsUser(user)))
            yield return new($"TaskQueue:Bus:EngineUsers must be {UserRule}");
    }

    internal const string UserRule = "names of users of RabbitMQ, 1 to 100 characters";

    internal static bool IsUser(string? name) => name is { Length: >= 1 and <= 100 } && CallerNames.IsValid(name);

    private static IEnumerable<string> Twice(IEnumerable<string> users) =>
        users.GroupBy(u => u, StringComparer.Ordinal).Where(g => g.Count() > 1).Select(g => g.Key);
}

/// <summary>A user of RabbitMQ that may submit tasks.</summary>
public sealed class BusProducerUser
{
    /// <summary>Name of the user at the broker.</summary>
    public string User { get; set; } = "";

    /// <summary>Owner of its tasks.</summary>
    /// <value>Null: <see cref="User"/>.</value>
    public string? Tenant { get; set; }

    /// <summary>Patterns of the queues that it may submit to: see <see cref="QueuePatterns"/>; null is all queues.</summary>
    public IList<string>? Queues { get; set; }

    internal string? Problem =>
        !BusOptions.IsUser(User) ? $"needs a User: {BusOptions.UserRule}"
        : Tenant is not null && !CallerNames.IsValid(Tenant) ? $"has a Tenant that is not {CallerNames.Rule}"
        : Queues?.FirstOrDefault(q => !QueuePatterns.IsValid(q)) is { } pattern
            ? $"has '{pattern}' among its Queues; each must be {QueuePatterns.Rule}"
        : null;
}

/// <summary>A user of RabbitMQ that may report on tasks.</summary>
public sealed class BusWorkerUser
{
    /// <summary>Name of the user at the broker.</summary>
    public string User { get; set; } = "";

    /// <summary>Patterns of the queues that it works on; required, if only <c>*</c>: see <see cref="QueuePatterns"/>.</summary>
    public IList<string> Queues { get; } = [];

    /// <summary>
    /// Name of the configured API key, or the name in the token, with which the same worker claims tasks over HTTP; its events on the bus
    /// apply to those.
    /// </summary>
    public string? Key { get; set; }

    /// <summary>Tenant of that key or token.</summary>
    /// <value>Null: that of the configured key with this name, otherwise the name.</value>
    public string? KeyTenant { get; set; }

    internal string? Problem =>
        !BusOptions.IsUser(User) ? $"needs a User: {BusOptions.UserRule}"
        : Queues.Count == 0 ? "needs Queues: list the queues that it works on, or [\"*\"] for those of every tenant"
        : Queues.FirstOrDefault(q => !QueuePatterns.IsValid(q)) is { } pattern
            ? $"has '{pattern}' among its Queues; each must be {QueuePatterns.Rule}"
        : Key is not null && !CallerNames.IsValid(Key) ? $"has a Key that is not {CallerNames.Rule}"
        : KeyTenant is not null && (Key is null || !CallerNames.IsValid(KeyTenant))
            ? $"has a KeyTenant without a Key, or one that is not {CallerNames.Rule}"
        : null;
}
