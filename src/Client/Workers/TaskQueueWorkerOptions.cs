using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Options;

namespace TaskQueue.Client;

/// <summary>Options of a worker: queues, processors and limits.</summary>
public sealed partial class TaskQueueWorkerOptions
{
    private static readonly TimeSpan MaxLease = TimeSpan.FromDays(1);
    private static readonly TimeSpan MaxRunTime = TimeSpan.FromDays(30);

    /// <summary>
    /// 1 to 100 queues, highest precedence first: <c>name</c> (tier 0), or over HTTP and gRPC also <c>name:tier</c>.
    /// </summary>
    public IList<string> Queues { get; } = [];

    /// <summary>Unique name of the worker, at most 200 characters; default machine:process:random.</summary>
    public string Name { get; set; } = $"{Environment.MachineName}:{Environment.ProcessId}:{Guid.NewGuid():N}"[..Math.Min(200,
        Environment.MachineName.Length + 24)];

    /// <summary>Version of the program, shown in the server's list of workers; default: that of its main assembly.</summary>
    public string? Version { get; set; } = Assembly.GetEntryAssembly()?.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?
        .InformationalVersion;

    /// <summary>Maximum number of concurrently running tasks: 1 to 500; default 2.</summary>
    public int Concurrency { get; set; } = 2;

    /// <summary>Maximum number of tasks waiting in the worker in addition to those running: 0 to 500; default 5.</summary>
    public int Prefetch { get; set; } = 5;

    /// <summary>
    /// How long a task may go without a heartbeat: 1 s to 1 day; null: as set for the task or its queue, else 15 s. Heartbeats are sent
    /// every third of the lease.
    /// </summary>
    public TimeSpan? Lease { get; set; }

    /// <summary>
    /// How long a stopping worker lets running tasks continue; default 25 s. Keep the host's ShutdownTimeout (30 s) above it.
    /// </summary>
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(25);

    /// <summary>
    /// How long an attempt may run: 1 s to 30 days; null (default): unlimited. At the limit the attempt fails, the processor's token is
    /// cancelled, and the task is retried while attempts are left.
    /// </summary>
    public TimeSpan? RunTimeLimit { get; set; }

    /// <summary>Silence of the server after which the worker's health check reports it: 3 s to 1 day; default 60 s.</summary>
    public TimeSpan UnresponsiveAfter { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Over RabbitMQ, most bytes of a message: 64 KiB to 512 MiB; default 16 MiB, as of RabbitMQ 4. Set it to the broker's
    /// <c>max_message_size</c> if that is another. A task whose result does not fit fails.
    /// </summary>
    public int MaxMessageBytes { get; set; } = 16 * 1024 * 1024;

    /// <summary>How tasks whose name has no processor are handled; default <see cref="UnknownNames.Fail"/>.</summary>
    public UnknownNames UnknownNames { get; set; }

    /// <summary>Decodes data, and encodes results and progress; null: the codec of <see cref="TaskQueueClientOptions"/>, if any.</summary>
    public ITaskPayloadCodec? Codec { get; set; }

    /// <summary>Creates the transport; null: HTTP.</summary>
    internal Func<IServiceProvider, TimeProvider, IRemoteTransport>? Transport { get; set; }

    /// <summary>Whether the transport consumes push queues, which have all tiers.</summary>
    internal bool ConsumesPushQueues { get; set; }

    /// <summary>Adds a processor for tasks with exactly this name; the last one added for a name wins.</summary>
    /// <param name="name">The name, called action in POST /tasks.</param>
    /// <param name="processor">Processes a task; if it throws, the task is retried.</param>
    public void AddProcessor(string name, Func<TaskContext, CancellationToken, Task<TaskOutcome>> processor)
    {
        ArgumentNullException.ThrowIfNull(processor);
        Add(name, (_, task, cancellationToken) => processor(task, cancellationToken), needsScope: false);
    }

    /// <summary>Adds a typed processor for tasks with exactly this name: it maps the deserialized payload to the result.</summary>
    /// <param name="name">The name, called action in POST /tasks.</param>
    /// <param name="input">Serialization metadata of the payload; a payload that cannot be read fails the task permanently.</param>
    /// <param name="output">Serialization metadata of the result.</param>
    /// <param name="processor">Processes a task; if it throws, the task is retried.</param>
    /// <typeparam name="TIn">Type of the data.</typeparam>
    /// <typeparam name="TOut">Type of the result.</typeparam>
    public void AddProcessor<TIn, TOut>(
        string name, JsonTypeInfo<TIn> input, JsonTypeInfo<TOut> output, Func<TIn, TaskContext, CancellationToken, Task<TOut>> processor)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(processor);
        Add(name, TypedProcessor.Of(input, output, processor), needsScope: false);
    }

    /// <summary>Adds a handler class for tasks with exactly this name; it is created per task, in its own scope.</summary>
    /// <param name="name">The name, called action in POST /tasks.</param>
    /// <typeparam name="THandler">Need not be registered; its dependencies must be.</typeparam>
    public void AddProcessor<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(string name)
        where THandler : class, ITaskHandler => Add(name, TypedProcessor.Of<THandler>(), needsScope: true);

    /// <summary>Adds a typed processor for tasks with exactly this name. Its JSON is made by reflection.</summary>
    /// <param name="name">The name, called action in POST /tasks.</param>
    /// <param name="processor">Processes a task; if it throws, the task is retried.</param>
    /// <typeparam name="TIn">Type of the data.</typeparam>
    /// <typeparam name="TOut">Type of the result.</typeparam>
    [RequiresUnreferencedCode(ReflectedJson.Limit)]
    [RequiresDynamicCode(ReflectedJson.Limit)]
    public void AddProcessor<TIn, TOut>(string name, Func<TIn, TaskContext, CancellationToken, Task<TOut>> processor) =>
        AddProcessor(name, ReflectedJson.Of<TIn>(), ReflectedJson.Of<TOut>(), processor);

    /// <exception cref="OptionsValidationException">An option is out of range.</exception>
    internal void Validate()
    {
        Demand(Queues.Count is >= 1 and <= 100, "Queues must name 1 to 100 queues");
        Demand(Name is { Length: >= 1 and <= 200 }, "Name must have 1 to 200 characters");
        Demand(Concurrency is >= 1 and <= 500, "Concurrency must be 1 to 500");
        Demand(Prefetch is >= 0 and <= 500, "Prefetch must be 0 to 500");
        Demand(Lease is null || (Lease >= TimeSpan.FromSeconds(1) && Lease <= MaxLease), "Lease must be 1 s to 1 day");
        Demand(DrainTimeout >= TimeSpan.Zero && DrainTimeout <= MaxLease, "DrainTimeout must be 0 to 1 day");
        Demand(RunTimeLimit is null
            || (RunTimeLimit >= TimeSpan.FromSeconds(1) && RunTimeLimit <= MaxRunTime), "RunTimeLimit must be 1 s to 30 days");
        Demand(UnresponsiveAfter >= TimeSpan.FromSeconds(3) && UnresponsiveAfter <= MaxLease, "UnresponsiveAfter must be 3 s to 1 day");
        Demand(MaxMessageBytes is >= 64 * 1024 and <= 512 * 1024 * 1024, "MaxMessageBytes must be 65536 to 536870912");
        Demand(!ConsumesPushQueues
            || !Queues.Any(q => q.Contains(':', StringComparison.Ordinal)),
            "Queues must be names without a tier on RabbitMQ: a push queue has all tiers");
        ValidateHandlers();
    }

    private static void Demand(bool holds, string rule)
    {
        if (!holds)
            throw new OptionsValidationException(nameof(TaskQueueWorkerOptions), typeof(TaskQueueWorkerOptions), [rule]);
    }
}

/// <summary>How a task whose name has no processor is handled.</summary>
public enum UnknownNames
{
    /// <summary>Fails the task permanently, with an error that names the processors there are: it is a dead letter of its queue.</summary>
    Fail,

    /// <summary>Releases the task for ten seconds, so that another worker can claim it; no attempt is counted.</summary>
    Release,

    /// <summary>Completes the task with its payload as the result, for demonstrations.</summary>
    Echo,
}
