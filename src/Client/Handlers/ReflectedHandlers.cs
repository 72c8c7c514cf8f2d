using System.Diagnostics.CodeAnalysis;
using System.Reflection;

namespace TaskQueue.Client;

using Processor = Func<IServiceProvider, TaskContext, CancellationToken, Task<TaskOutcome>>;

/// <summary>Handlers whose types of data and result are found by reflection.</summary>
internal static class ReflectedHandlers
{
    public const string Limit =
        "The handler's types are found by reflection: use the overloads with JsonTypeInfo in trimmed programs.";

    private const BindingFlags Own = BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.DoNotWrapExceptions;

    /// <summary>The processor of a handler's class.</summary>
    /// <exception cref="ArgumentException">The class is no handler, or more than one.</exception>
    [RequiresUnreferencedCode(Limit)]
    [RequiresDynamicCode(Limit)]
    public static Processor ProcessorOf(Type type)
    {
        var kinds = KindsOf(type);
        if (kinds.Count != 1 || type is { IsClass: false } or { IsAbstract: true } or { ContainsGenericParameters: true })
        {
            throw new ArgumentException($"{type} must be a class of which an instance can be made, and implement one of ITaskHandler, "
                + $"ITaskHandler<TIn> and ITaskHandler<TIn, TOut>, once; it implements {kinds.Count}", nameof(type));
        }

        var types = kinds[0].GetGenericArguments();
        var maker = types.Length switch { 0 => nameof(Untyped), 1 => nameof(WithoutResult), _ => nameof(WithResult) };
        return (Processor)typeof(ReflectedHandlers).GetMethod(maker, Own)!.MakeGenericMethod([type, .. types])
            .Invoke(null, Own, null, null, null)!;
    }

    /// <summary>The names in the attributes of a class.</summary>
    public static IReadOnlyList<string> NamesOf(Type type) => [.. type.GetCustomAttributes<TaskNameAttribute>().Select(a => a.Name)];

    /// <summary>The classes of an assembly that have names.</summary>
    [RequiresUnreferencedCode(Limit)]
    public static IEnumerable<Type> NamedIn(Assembly assembly) =>
        assembly.GetTypes().Where(t => t.IsDefined(typeof(TaskNameAttribute), inherit: false))
            .OrderBy(t => t.FullName, StringComparer.Ordinal);

    [RequiresUnreferencedCode(Limit)]
    private static List<Type> KindsOf(Type type) =>
        [.. type.GetInterfaces().Where(i => i == typeof(ITaskHandler)
            || (i.IsGenericType && i.GetGenericTypeDefinition() is var kind
                && (kind == typeof(ITaskHandler<>) || kind == typeof(ITaskHandler<,>))))];

    [RequiresUnreferencedCode(Limit)]
    [RequiresDynamicCode(Limit)]
    private static Processor WithResult<
        [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler, TIn, TOut>()
        where THandler : class, ITaskHandler<TIn, TOut> =>
        TypedProcessor.Of<THandler, TIn, TOut>(ReflectedJson.Of<TIn>(), ReflectedJson.Of<TOut>());

    [RequiresUnreferencedCode(Limit)]
    [RequiresDynamicCode(Limit)]
    private static Processor WithoutResult<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler, TIn>()
        where THandler : class, ITaskHandler<TIn> =>
        TypedProcessor.Of<THandler, TIn>(ReflectedJson.Of<TIn>());

    private static Processor Untyped<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>()
        where THandler : class, ITaskHandler =>
        TypedProcessor.Of<THandler>();
}
