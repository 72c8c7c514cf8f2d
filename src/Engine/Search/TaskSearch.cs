using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Search;

/// <summary>What a search looks for; all conditions must hold, and a null property matches any task.</summary>
public sealed record TaskSearch
{
    /// <summary>Besides <see cref="TaskStates"/>: pending, and not due yet.</summary>
    public const int Scheduled = 0;

    /// <summary>The name of <see cref="Scheduled"/> on native routes.</summary>
    public const string ScheduledWord = "scheduled";

    /// <summary>States of which it has one, each of <see cref="TaskStates"/> or <see cref="Scheduled"/>; none is any.</summary>
    public IReadOnlyList<int> States { get; init; } = [];

    /// <summary>Its id.</summary>
    public Guid? Id { get; init; }

    /// <summary>Base name of its queue.</summary>
    public string? Queue { get; init; }

    /// <summary>Its name.</summary>
    public string? Name { get; init; }

    /// <summary>Tags, all of which it has.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Its ordering key, as its tenant knows it. Of tasks of other tenants only together with <see cref="Owner"/>.</summary>
    public string? OrderingKey { get; init; }

    /// <summary>The worker that runs it, or ran its last attempt. Tasks that wait for their first attempt have none.</summary>
    public string? Worker { get; init; }

    /// <summary>The batch whose item it is.</summary>
    public Guid? BatchId { get; init; }

    /// <summary>Name of the schedule that submitted it, in <see cref="Queue"/>, which must be given.</summary>
    public string? Schedule { get; init; }

    /// <summary>Its owner; for callers that see several.</summary>
    public string? Owner { get; init; }

    /// <summary>Beginning of the error of its last failed attempt. Completed tasks have none.</summary>
    public string? Error { get; init; }

    /// <summary>Accepted at this time or later, UTC.</summary>
    public DateTime? CreatedFrom { get; init; }

    /// <summary>Accepted before this time, UTC.</summary>
    public DateTime? CreatedTo { get; init; }

    /// <summary>Ended at this time or later, UTC.</summary>
    public DateTime? FinishedFrom { get; init; }

    /// <summary>Ended before this time, UTC.</summary>
    public DateTime? FinishedTo { get; init; }
}
