using Microsoft.Extensions.Options;
using TaskQueue.Bus.Connection;
using TaskQueue.Engine.Auth;

namespace TaskQueue.Bus.Senders;

/// <summary>What the sender of a message may see and change, or why the message is refused.</summary>
/// <param name="Access">Null if the message is refused.</param>
/// <param name="Problem">Reason of the refusal.</param>
public readonly record struct SenderDecision(Access? Access, string? Problem);

/// <summary>
/// Authorizes messages by their user, which the broker has verified to be that of the connection. Without authentication and without
/// configured users every broker user is trusted; the in-process bus always is.
/// </summary>
public sealed class BusAccess(BusAddress address, IOptionsMonitor<BusOptions> users, IOptionsMonitor<AuthOptions> auth)
{
    private static readonly SenderDecision Trusted = new(Access.All, null);

    private volatile Users _users = new(new BusOptions(), new AuthOptions());
    private volatile bool _isOn;

    /// <summary>Whether senders are authorized. Once enabled, it stays enabled, as authentication does.</summary>
    public bool IsOn => _isOn |= address.RabbitMq is not null && (users.CurrentValue.HasUsers || auth.CurrentValue.IsOn);

    /// <summary>What a user may do with messages of a kind.</summary>
    /// <param name="role">The role that may send such messages.</param>
    /// <param name="user">User of the message; null if it names none.</param>
    public SenderDecision Decide(SenderRole role, string? user)
    {
        if (!IsOn)
            return Trusted;
        if (user is null)
            return Refused("it names no user: set the property user_id to the user of the connection");
        var known = Current();
        var isEngine = known.Engine.Contains(user) || (user == address.User && !known.Workers.ContainsKey(user));
        return role switch
        {
            SenderRole.Producer => Find(known.Producers, user, "Producers"),
            _ when isEngine => Trusted,
            SenderRole.Worker => Find(known.Workers, user, "Workers"),
            SenderRole.EventWorker => Find(known.EventWorkers, user, "Workers"),
            _ => Refused($"user '{user}' is not one of this server's own: see TaskQueue:Bus:EngineUsers"),
        };
    }

    private static SenderDecision Find(Dictionary<string, Access> known, string user, string list) =>
        known.TryGetValue(user, out var access) ? new(access, null) : Refused($"user '{user}' is not among TaskQueue:Bus:{list}");

    private static SenderDecision Refused(string problem) => new(null, problem);

    private Users Current()
    {
        var (options, keys) = (users.CurrentValue, auth.CurrentValue);
        return ReferenceEquals(_users.Options, options) && ReferenceEquals(_users.Keys, keys) ? _users : _users = new Users(options, keys);
    }

    private sealed class Users(BusOptions options, AuthOptions keys)
    {
        public BusOptions Options => options;

        public AuthOptions Keys => keys;

        public HashSet<string> Engine { get; } = new(options.EngineUsers, StringComparer.Ordinal);

        public Dictionary<string, Access> Producers { get; } = options.Producers.ToDictionary(p => p.User, Of, StringComparer.Ordinal);

        public Dictionary<string, Access> Workers { get; } = options.Workers.ToDictionary(w => w.User, w => Of(
            w, null), StringComparer.Ordinal);

        public Dictionary<string, Access> EventWorkers { get; } =
            options.Workers.ToDictionary(w => w.User, w =>
                Of(w, w.Key is null ? null : Credentials.OfCaller(w.Key, w.KeyTenant ?? TenantOf(keys, w.Key))), StringComparer.Ordinal);

        private static Access Of(BusProducerUser producer) =>
            new() { Tenant = producer.Tenant
                ?? producer.User, Own = QueuePatterns.Of(producer.Queues), Credential = Credentials.OfBusUser(producer.User) };

        private static Access Of(BusWorkerUser worker, string? credential) =>
            new() { Others = QueuePatterns.Of(worker.Queues), Credential = credential ?? Credentials.OfBusUser(worker.User) };

        private static string? TenantOf(AuthOptions keys, string name) => keys.Keys.FirstOrDefault(k => k.Name == name)?.Tenant;
    }
}
