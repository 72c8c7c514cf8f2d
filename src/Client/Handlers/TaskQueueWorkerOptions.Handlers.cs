using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Text.Json.Serialization.Metadata;

namespace TaskQueue.Client;

using Middleware = Func<IServiceProvider, TaskContext, TaskDelegate, CancellationToken, Task<TaskOutcome>>;
using Processor = Func<IServiceProvider, TaskContext, CancellationToken, Task<TaskOutcome>>;

/// <summary>Handlers and middleware of a worker.</summary>
public sealed partial class TaskQueueWorkerOptions
{
    private readonly Dictionary<string, RegisteredProcessor> _processors = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TaskHandlerOptions> _handlers = new(StringComparer.Ordinal);
    private readonly List<Middleware> _middleware = [];

    /// <summary>Adds a typed handler with a result for tasks with exactly this name; the last one added for a name wins.</summary>
    /// <param name="name">The name, called action in POST /tasks.</param>
    /// <param name="input">Serialization metadata of the data; data that cannot be read fails the task permanently.</param>
    /// <param name="output">Serialization metadata of the result.</param>
    /// <typeparam name="THandler">Need not be registered; its dependencies must be.</typeparam>
    /// <typeparam name="TIn">Type of the data.</typeparam>
    /// <typeparam name="TOut">Type of the result.</typeparam>
    /// <returns>Options of the tasks of the name.</returns>
    public TaskHandlerOptions AddHandler<
        [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler, TIn, TOut>(
        string name, JsonTypeInfo<TIn> input, JsonTypeInfo<TOut> output)
        where THandler : class, ITaskHandler<TIn, TOut>
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(output);
        return Add(name, TypedProcessor.Of<THandler, TIn, TOut>(input, output), needsScope: true);
    }

    /// <summary>Adds a typed handler without a result for tasks with exactly this name; the last one added for a name wins.</summary>
    /// <param name="name">The name, called action in POST /tasks.</param>
    /// <param name="input">Serialization metadata of the data; data that cannot be read fails the task permanently.</param>
    /// <typeparam name="THandler">Need not be registered; its dependencies must be.</typeparam>
    /// <typeparam name="TIn">Type of the data.</typeparam>
    /// <returns>Options of the tasks of the name.</returns>
    public TaskHandlerOptions AddHandler<
        [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler, TIn>(
        string name, JsonTypeInfo<TIn> input)
        where THandler : class, ITaskHandler<TIn>
    {
        ArgumentNullException.ThrowIfNull(input);
        return Add(name, TypedProcessor.Of<THandler, TIn>(input), needsScope: true);
    }

    /// <summary>
    /// Adds a handler class for tasks with exactly this name. The types of data and result are those of the interface that it implements,
    /// and their JSON is made by reflection.
    /// </summary>
    /// <param name="name">The name, called action in POST /tasks.</param>
    /// <typeparam name="THandler">
    /// Implements <see cref="ITaskHandler{TIn, TOut}"/>, <see cref="ITaskHandler{TIn}"/> or <see cref="ITaskHandler"/>. Need not be
    /// registered; its dependencies must be.
    /// </typeparam>
    /// <returns>Options of the tasks of the name.</returns>
    /// <exception cref="ArgumentException">The class implements none of them, or several.</exception>
    [RequiresUnreferencedCode(ReflectedHandlers.Limit)]
    [RequiresDynamicCode(ReflectedHandlers.Limit)]
    public TaskHandlerOptions AddHandler<THandler>(string name)
        where THandler : class =>
        Add(name, ReflectedHandlers.ProcessorOf(typeof(THandler)), needsScope: true);

    /// <summary>Adds a handler class for tasks with the names of its <see cref="TaskNameAttribute"/>, like
    /// <see cref="AddHandler{THandler}(string)"/>.</summary>
    /// <typeparam name="THandler">The class.</typeparam>
    /// <exception cref="ArgumentException">It has no name, or is no handler.</exception>
    [RequiresUnreferencedCode(ReflectedHandlers.Limit)]
    [RequiresDynamicCode(ReflectedHandlers.Limit)]
    public void AddHandler<THandler>()
        where THandler : class => AddNamed(typeof(THandler));

    /// <summary>
    /// Adds all handler classes of an assembly that have a <see cref="TaskNameAttribute"/>, like
    /// <see cref="AddHandler{THandler}(string)"/>.
    /// </summary>
    /// <param name="assembly">The assembly.</param>
    /// <exception cref="ArgumentException">A class with a name is no handler, two have the same name, or none has one.</exception>
    [RequiresUnreferencedCode(ReflectedHandlers.Limit)]
    [RequiresDynamicCode(ReflectedHandlers.Limit)]
    public void AddHandlersFrom(Assembly assembly)
    {
        ArgumentNullException.ThrowIfNull(assembly);
        var found = new Dictionary<string, Type>(StringComparer.Ordinal);
        foreach (var type in ReflectedHandlers.NamedIn(assembly))
        {
            foreach (var name in ReflectedHandlers.NamesOf(type))
            {
                if (!found.TryAdd(name, type))
                    throw new ArgumentException($"{found[name]} and {type} both have the task name '{name}'", nameof(assembly));
            }

            AddNamed(type);
        }

        if (found.Count == 0)
            throw new ArgumentException($"{assembly.GetName().Name} has no class with the attribute TaskName", nameof(assembly));
    }

    /// <summary>Options of the tasks of a name, whichever method adds its processor.</summary>
    /// <param name="name">The name, called action in POST /tasks.</param>
    public TaskHandlerOptions HandlerOptions(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (!_handlers.TryGetValue(name, out var options))
            _handlers[name] = options = new TaskHandlerOptions();
        return options;
    }

    /// <summary>Surrounds all processors of this worker with a middleware, inside of those added before.</summary>
    /// <typeparam name="TMiddleware">Need not be registered; its dependencies must be.</typeparam>
    public void AddMiddleware<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TMiddleware>()
        where TMiddleware : class, ITaskMiddleware =>
        _middleware.Add((services, task, next, cancellationToken) =>
            HandlerInstance.UseAsync<TMiddleware>(services, middleware => middleware.InvokeAsync(task, next, cancellationToken)));

    /// <summary>Surrounds all processors of this worker with a function, inside of what was added before.</summary>
    /// <param name="middleware">See <see cref="ITaskMiddleware.InvokeAsync"/>.</param>
    public void AddMiddleware(Func<TaskContext, TaskDelegate, CancellationToken, Task<TaskOutcome>> middleware)
    {
        ArgumentNullException.ThrowIfNull(middleware);
        _middleware.Add((_, task, next, cancellationToken) => middleware(task, next, cancellationToken));
    }

    internal IReadOnlyList<Middleware> Middlewares => _middleware;

    internal IReadOnlyCollection<string> ProcessorNames => _processors.Keys;

    internal RegisteredProcessor? ProcessorOf(string? name) => name is null ? null : _processors.GetValueOrDefault(name);

    /// <summary>The limits of single handlers as they are now.</summary>
    internal IReadOnlyDictionary<string, HandlerLimits> Limits() =>
        _handlers.ToDictionary(h => h.Key, h => h.Value.ToLimits(), StringComparer.Ordinal);

    private void ValidateHandlers()
    {
        foreach (var (name, options) in _handlers)
        {
            Demand(_processors.ContainsKey(name), $"HandlerOptions(\"{name}\"): there is no processor of this name");
            Demand(options.Problem is null, $"HandlerOptions(\"{name}\"): {options.Problem}");
        }
    }

    [RequiresUnreferencedCode(ReflectedHandlers.Limit)]
    [RequiresDynamicCode(ReflectedHandlers.Limit)]
    private void AddNamed(Type type)
    {
        var names = ReflectedHandlers.NamesOf(type);
        if (names.Count == 0)
            throw new ArgumentException($"{type} has no attribute TaskName: give it one, or add it with a name", nameof(type));
        var processor = ReflectedHandlers.ProcessorOf(type);
        foreach (var name in names)
            Add(name, processor, needsScope: true);
    }

    internal TaskHandlerOptions Add(string name, Processor processor, bool needsScope)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        _processors[name] = new RegisteredProcessor(processor, needsScope);
        return HandlerOptions(name);
    }
}

/// <summary>The processor of a name.</summary>
/// <param name="Run">Runs a task.</param>
/// <param name="NeedsScope">Whether it takes services from a scope of the attempt.</param>
internal sealed record RegisteredProcessor(Processor Run, bool NeedsScope);
