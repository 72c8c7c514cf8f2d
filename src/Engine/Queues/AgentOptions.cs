using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine.Queues;

/// <summary>What runs the tasks of the agent API's queue.</summary>
public enum AgentProcessor
{
    /// <summary>They end at once with their payload as the result.</summary>
    Echo,

    /// <summary>They end as failed for good: no processor has their name.</summary>
    Fail,

    /// <summary>Nothing here: they wait for workers of yours.</summary>
    None,
}

/// <summary>Section <c>TaskQueue:Agent</c>: the agent API (dtq-and-wippy.md A).</summary>
public sealed class AgentOptions : IValidatableObject
{
    /// <summary>Where the tasks of the API go: a pull queue.</summary>
    /// <value><c>agent</c>.</value>
    public string Queue { get; set; } = "agent";

    /// <summary>What runs them in the Consumers role.</summary>
    /// <value>echo; echo, fail or none.</value>
    [EnumDataType(typeof(AgentProcessor))]
    public AgentProcessor Processor { get; set; } = AgentProcessor.Echo;

    /// <summary>Tasks that a process takes at once.</summary>
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
