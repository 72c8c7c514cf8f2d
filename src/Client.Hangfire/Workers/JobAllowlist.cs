using System.Collections.Concurrent;
using System.Reflection;

namespace TaskQueue.Client;

/// <summary>
/// The types and methods that a worker calls. A payload is looked up by text among those that were allowed: nothing in it is ever
/// resolved or loaded as a type.
/// </summary>
internal sealed class JobAllowlist(IReadOnlyDictionary<string, Type> types)
{
    private const int MaxShown = 200;

    private readonly ConcurrentDictionary<Type, MethodInfo[]> _methods = new();

    public IEnumerable<(Type Type, MethodInfo Method)> All => types.Values.SelectMany(t => MethodsOf(t).Select(m => (t, m)));

    /// <summary>Finds the method that a payload names.</summary>
    /// <exception cref="JobRefusedException">It is not allowed.</exception>
    public (Type Type, MethodInfo Method) Find(JobPayload payload)
    {
        if (!types.TryGetValue(payload.Type!, out var type))
            throw new JobRefusedException($"the type '{LogText.Cut(payload.Type!, MaxShown)}' is not allowed in this worker: if it has "
                + "jobs, allow it in UseHangfireJobs");
        // A class may hide a method that it inherits: the class's own counts.
        var method = MethodsOf(type).Where(m => JobMethods.IsMeant(m, payload)).MaxBy(m => Depth(m.DeclaringType))
            ?? throw new JobRefusedException($"{JobNames.Readable(type)} has no public method {LogText.Cut(payload.Method!, MaxShown)}("
                + $"{LogText.Cut(string.Join(", ", payload.Parameters ?? []), MaxShown)}) that can be a job");
        return (type, method);
    }

    private MethodInfo[] MethodsOf(Type type) => _methods.GetOrAdd(type, t => [.. JobMethods.Of(t)]);

    private static int Depth(Type? type)
    {
        var depth = 0;
        for (; type is not null; type = type.BaseType)
            depth++;
        return depth;
    }
}
