using TaskQueue.Engine;

namespace TaskQueue.Api.Hosting;

/// <summary>Roles of a process. They only decide which services and receive endpoints start.</summary>
[Flags]
internal enum Roles
{
    Api = 1,
    Scheduler = 2,
    Consumers = 4,
    All = Api | Scheduler | Consumers,
}

internal static class RoleList
{
    /// <summary>Reads <c>api,scheduler,consumers</c>.</summary>
    /// <exception cref="StartupException">A name is not a role.</exception>
    public static Roles Parse(string? list)
    {
        var words = (list ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return words.Length == 0
            ? Roles.All
            : words.Aggregate(default(Roles), (roles, word) => roles | Parse1(word));
    }

    private static Roles Parse1(string word) =>
        word.ToLowerInvariant() switch
        {
            "api" => Roles.Api,
            "scheduler" => Roles.Scheduler,
            "consumers" => Roles.Consumers,
            _ => throw new StartupException($"TaskQueue:Roles names '{word}'; it must be a list of api, scheduler, consumers."),
        };
}
