using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine.Queues;

/// <summary>Processor of the agent API's tasks.</summary>
public enum AgentProcessor
{
    /// <summary>Completes tasks at once with their payload as the result.</summary>
    Echo,

    /// <summary>Fails tasks permanently: no processor has their name.</summary>
    Fail,

    /// <summary>No built-in processor: tasks wait for your own workers.</summary>
    None,
}

/// <summary>Section <c>TaskQueue:Agent</c>: the agent API (dtq-and-wippy.md A).</summary>
public sealed class AgentOptions : IValidatableObject
{
    /// <summary>Queue of the API's tasks: a pull queue.</summary>
    /// <value><c>agent</c>.</value>
    public string Queue { get; set; } = "agent";

    /// <summary>Processor that runs them in the Consumers role.</summary>
    /// <value>echo; echo, fail or none.</value>
    [EnumDataType(typeof(AgentProcessor))]
    public AgentProcessor Processor { get; set; } = AgentProcessor.Echo;

    /// <summary>Maximum tasks that a process runs concurrently.</summary>
    /// <value>16; 1 to 1,000.</value>
    [Range(1, 1000)]
    public int Concurrency { get; set; } = 16;

    /// <inheritdoc />
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (!QueueNames.IsValid(Queue))
            yield return new($"TaskQueue:Agent:Queue must be {QueueNames.Rule}");
        else if (Queue == BuiltInQueues.Tasks)
            yield return new($"TaskQueue:Agent:Queue must not be {Queue}, which is dispatched to the built-in actions");
    }
}
