using Hangfire;
using Hangfire.Server;
using Microsoft.Extensions.Logging;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>
/// Process-wide Hangfire settings: names instead of types, so that no table content can make the process load, construct or call
/// another type; and a quiet log.
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

    /// <summary>Names by default, which are in the memory of a server that shares the process: see <see cref="SharedHangfire"/>.</summary>
    private static readonly Dictionary<string, Type> Shared = Allowed.Values.ToDictionary(t => t.AssemblyQualifiedName!,
        StringComparer.Ordinal);

    private static readonly Dictionary<Type, string> Names = Allowed.ToDictionary(a => a.Value, a => a.Key);

    /// <summary>Applies the settings to Hangfire. Idempotent.</summary>
    public static void Apply(ILoggerFactory loggers)
    {
        HangfireLog.Loggers = loggers;
        GlobalConfiguration.Configuration.SetDataCompatibilityLevel(CompatibilityLevel.Version_180)
            .UseTypeResolver(Resolve).UseTypeSerializer(NameOf).UseLogProvider(HangfireLog.Provider);
    }

    /// <summary>Resolves a type name found in the storage.</summary>
    /// <exception cref="ForbiddenJobException">The name is not allowed.</exception>
    public static Type Resolve(string name) => Allowed.GetValueOrDefault(name) ?? Shared.GetValueOrDefault(name)
        ?? throw new ForbiddenJobException(name);

    /// <summary>The stored name of a type; names of exceptions are for display only.</summary>
    private static string NameOf(Type type) => Names.GetValueOrDefault(type) ?? type.FullName!;
}

/// <summary>
/// Registered where Hangfire belongs to the program that the server is part of. Its settings stay as they are if the jobs are in the
/// memory of the process, where nobody else can write them.
/// </summary>
internal sealed class SharedHangfire;
