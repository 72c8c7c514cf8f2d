using Hangfire.Common;
using Newtonsoft.Json;

namespace TaskQueue.Client;

/// <summary>Options of programs that enqueue jobs.</summary>
public sealed class HangfireClientOptions
{
    /// <summary>Filters of jobs; default: those of Hangfire, <c>GlobalJobFilters</c> and attributes.</summary>
    public IJobFilterProvider Filters { get; set; } = JobFilterProviders.Providers;

    /// <summary>Converters of arguments and return values. Workers need the same.</summary>
    public IList<JsonConverter> Converters { get; } = [];

    /// <summary>
    /// Whether a recurring job declares its queue if that is not declared yet, with default settings; default true. Otherwise such a job
    /// is refused.
    /// </summary>
    public bool DeclareQueues { get; set; } = true;

    /// <summary>
    /// The queues of this application's recurring jobs: only there are they added, triggered and removed. Name them where several
    /// applications share a server, as the ids of their jobs may be the same; no two of them may name the same queue. Keep a queue that a
    /// job leaves until it has moved: its schedule there is found only then. Empty: all queues.
    /// </summary>
    public IList<string> RecurringQueues { get; } = [];
}
