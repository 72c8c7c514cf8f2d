using Hangfire;
using Hangfire.Server;
using Microsoft.Extensions.Logging;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>
/// What the whole process shares of Hangfire: names in the place of types, so that nothing in a table makes the process load, construct or
/// call another type, and a log that is quiet.
/// </summary>
internal static class HangfireTypes
{
    private static readonly Dictionary<string, Type> Allowed = new(StringComparer.Ordinal)
    {
        ["maintenance"] = typeof(MaintenanceRunner),
        ["string"] = typeof(string),
        ["context"] = typeof(PerformContext),
        ["token"] = typeof(CancellationToken),
    };

    private static readonly Dictionary<Type, string> Names = Allowed.ToDictionary(a => a.Value, a => a.Key);

    /// <summary>Has Hangfire use them. Idempotent.</summary>
    public static void Apply(ILoggerFactory loggers)
    {
        HangfireLog.Loggers = loggers;
        GlobalConfiguration.Configuration.SetDataCompatibilityLevel(CompatibilityLevel.Version_180)
            .UseTypeResolver(Resolve).UseTypeSerializer(NameOf).UseLogProvider(HangfireLog.Provider);
    }

    /// <summary>The type of a name in the storage.</summary>
    /// <exception cref="ForbiddenJobException">It is none of ours.</exception>
    public static Type Resolve(string name) => Allowed.GetValueOrDefault(name) ?? throw new ForbiddenJobException(name);

    /// <summary>The name of a type; those of exceptions are only shown.</summary>
    private static string NameOf(Type type) => Names.GetValueOrDefault(type) ?? type.FullName!;
}
