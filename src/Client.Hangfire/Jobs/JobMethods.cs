using System.Linq.Expressions;
using System.Reflection;
using System.Runtime.CompilerServices;
using Hangfire;
using Hangfire.Common;

namespace TaskQueue.Client;

/// <summary>Methods that can be jobs.</summary>
internal static class JobMethods
{
    /// <summary>The public methods of a type, with those that it inherits from classes and interfaces of the application.</summary>
    public static IEnumerable<MethodInfo> Of(Type type)
    {
        const BindingFlags Public = BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.FlattenHierarchy;
        var methods = type.GetMethods(Public).AsEnumerable();
        if (type.IsInterface)
            methods = methods.Concat(type.GetInterfaces().SelectMany(i => i.GetMethods(Public)));
        return methods.Where(m => Problem(type, m) is null);
    }

    /// <summary>Whether a payload means the method.</summary>
    public static bool IsMeant(MethodInfo method, JobPayload payload) =>
        method.Name == payload.Method
        && method.GetParameters().Select(p => JobNames.Of(p.ParameterType)).SequenceEqual(payload.Parameters ?? [], StringComparer.Ordinal);

    /// <exception cref="NotSupportedException">The call cannot be a task; nothing was sent.</exception>
    public static void Demand(Job job, ParameterRules rules)
    {
        var name = $"{JobNames.Readable(job.Type)}.{job.Method.Name}";
        if (Problem(job.Type, job.Method) is { } problem)
            throw new NotSupportedException($"{name} {problem}");
        foreach (var parameter in job.Method.GetParameters())
        {
            if (parameter.IsDefined(typeof(FromParameterAttribute), inherit: true))
                throw new NotSupportedException($"{name}: the attribute of parameter {parameter.Name} is not supported: read what the "
                    + "other job did from where it stores it");
            if (!ParameterRules.IsInjected(parameter.ParameterType) && rules.ProblemOf(parameter.ParameterType) is { } unfit)
                throw new NotSupportedException($"{name}: parameter {parameter.Name} cannot be passed: {unfit}");
        }
    }

    private static string? Problem(Type type, MethodInfo method) =>
        method.IsGenericMethod ? "is a generic method: call it from a method that is not, and enqueue that"
        : method.IsSpecialName ? "is an accessor: enqueue a method"
        : method.DeclaringType == typeof(object) ? "is a method of every object: enqueue one of the class"
        : IsInherited(type, method.DeclaringType) || IsInherited(type, method.GetBaseDefinition().DeclaringType) || Disposes(method)
            ? "belongs to the framework, which calls it at other times: enqueue a method of the application"
        : method is { IsStatic: true, IsAbstract: true } ? "has no body: enqueue the method of a class"
        : method.ReturnType == typeof(void) && method.IsDefined(typeof(AsyncStateMachineAttribute))
            ? "is async and returns nothing, so nobody can wait for it: return a Task"
        : Array.Exists(method.GetParameters(), p => p.ParameterType.IsByRef || p.IsOut || IsCode(p.ParameterType))
            ? "takes a reference or a delegate, which a payload cannot contain: pass values"
        : null;

    /// <summary>Whether a method comes from a class or an interface of the framework, such as BackgroundService.StopAsync.</summary>
    private static bool IsInherited(Type type, Type? declaring) =>
        declaring is not null && declaring != type && ParameterRules.IsOfFramework(declaring);

    private static bool Disposes(MethodInfo method) =>
        method.GetParameters().Length == 0 && method.DeclaringType is { } type
        && ((method.Name == nameof(IDisposable.Dispose) && typeof(IDisposable).IsAssignableFrom(type))
            || (method.Name == nameof(IAsyncDisposable.DisposeAsync) && typeof(IAsyncDisposable).IsAssignableFrom(type)));

    private static bool IsCode(Type type) => typeof(Delegate).IsAssignableFrom(type) || typeof(Expression).IsAssignableFrom(type);
}
