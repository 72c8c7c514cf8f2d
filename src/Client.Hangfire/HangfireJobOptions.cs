using System.Reflection;
using Hangfire;
using Hangfire.Common;
using Newtonsoft.Json;

namespace TaskQueue.Client;

/// <summary>Options of a worker that runs jobs. Only public methods of the types that are allowed here are ever called.</summary>
public sealed class HangfireJobOptions
{
    private readonly Dictionary<string, Type> _types = new(StringComparer.Ordinal);

    /// <summary>Filters of jobs; default: those of Hangfire, <c>GlobalJobFilters</c> and attributes.</summary>
    public IJobFilterProvider Filters { get; set; } = JobFilterProviders.Providers;

    /// <summary>Converters of arguments and return values. Programs that enqueue need the same.</summary>
    public IList<JsonConverter> Converters { get; } = [];

    /// <summary>
    /// Creates the objects whose methods are called. Null: the <see cref="JobActivator"/> among the services, else
    /// <see cref="JobActivator.Current"/> if it was replaced, else one that resolves them from a scope per job.
    /// </summary>
    public JobActivator? Activator { get; set; }

    internal IReadOnlyDictionary<string, Type> Types => _types;

    /// <summary>Allows the public methods of a class or an interface as jobs.</summary>
    /// <typeparam name="T">The type that call sites name, as in <c>Enqueue&lt;T&gt;</c>.</typeparam>
    public HangfireJobOptions Allow<T>() => Allow(typeof(T));

    /// <summary>Allows the public methods of a class, which may be static, or of an interface as jobs.</summary>
    /// <param name="type">The type that call sites name; a generic one with its arguments.</param>
    /// <exception cref="ArgumentException">It is neither a class nor an interface, or its generic arguments are missing.</exception>
    public HangfireJobOptions Allow(Type type)
    {
        ArgumentNullException.ThrowIfNull(type);
        if (type.ContainsGenericParameters)
            throw new ArgumentException(
                $"{type} is not one type: allow it with its arguments, such as typeof(Import<Order>)", nameof(type));
        if (!CanHaveJobs(type) || type == typeof(object))
            throw new ArgumentException($"{type} cannot have jobs: allow a class or an interface", nameof(type));
        _types[JobNames.Of(type)] = type;
        return this;
    }

    /// <summary>
    /// Allows the public methods of all public classes and interfaces of an assembly. Prefer <see cref="Allow{T}"/>: everybody who may
    /// enqueue tasks can call what is allowed, with arguments of their choice.
    /// </summary>
    /// <param name="assembly">The assembly. Generic types in it are not allowed by this.</param>
    public HangfireJobOptions AllowAssembly(Assembly assembly)
    {
        ArgumentNullException.ThrowIfNull(assembly);
        foreach (var type in assembly.GetExportedTypes().Where(t => CanHaveJobs(t) && !t.ContainsGenericParameters))
            _types[JobNames.Of(type)] = type;
        return this;
    }

    private static bool CanHaveJobs(Type type) =>
        (type.IsClass || type.IsInterface) && !type.IsArray && !type.IsPointer && !type.IsByRef && type != typeof(string)
        && !typeof(Delegate).IsAssignableFrom(type) && !typeof(Attribute).IsAssignableFrom(type);
}
