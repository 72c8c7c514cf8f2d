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

    /// <summary>The words of roles.</summary>
    public static IEnumerable<string> Words(Roles roles) =>
        new[] { (Role: Roles.Api, Word: "api"), (Role: Roles.Scheduler, Word: "scheduler"), (Role: Roles.Consumers, Word: "consumers") }
            .Where(known => roles.HasFlag(known.Role)).Select(known => known.Word);

    private static Roles Parse1(string word) =>
        word.ToLowerInvariant() switch
        {
            "api" => Roles.Api,
            "scheduler" => Roles.Scheduler,
            "consumers" => Roles.Consumers,
            _ => throw new StartupException($"TaskQueue:Roles names '{word}'; it must be a list of api, scheduler, consumers."),
        };
}
