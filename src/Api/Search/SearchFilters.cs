using System.Globalization;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Ids;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Search;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.Search;

/// <summary>Reads the filters of a search, given by name, from a query or from the body of another request.</summary>
internal static class SearchFilters
{
    private const int MaxText = 1000;

    /// <summary>The names, each with its description.</summary>
    public static readonly IReadOnlyList<(string Name, string Description)> All =
    [
        ("id", "Its id."),
        ("queue", "Name of its queue."),
        ("state", "pending, scheduled (pending, and not due yet), running, retrying, completed, failed, cancelled or expired; repeat "
            + "it for any of several."),
        ("name", "Its name, called action in POST /tasks."),
        ("tag", "A tag; repeat it for tasks that have all of them."),
        ("ordering_key", "Its ordering key; of another tenant's tasks together with owner."),
        ("worker", "The worker that runs it, or ran its last attempt."),
        ("batch", "The batch whose item it is."),
        ("schedule", "Name of the schedule that submitted it; needs queue."),
        ("owner", "Its owner, for callers that see all tenants."),
        ("error", "Beginning of the error of its last failed attempt."),
        ("created_from", "Accepted at this time or later: ISO 8601 with a zone, or Unix seconds."),
        ("created_to", "Accepted before this time."),
        ("finished_from", "Ended at this time or later."),
        ("finished_to", "Ended before this time."),
    ];

    /// <summary>Reads them.</summary>
    /// <param name="given">Name and value, repeated for several.</param>
    /// <param name="access">What the caller may see.</param>
    /// <exception cref="ApiException">400, or 403 for another owner.</exception>
    public static TaskSearch Read(ILookup<string, string?> given, Access access)
    {
        ArgumentNullException.ThrowIfNull(given);
        var search = new TaskSearch
        {
            States = [.. Values("state").Select(StateOf).Distinct()],
            Tags = [.. Values("tag").Select(TagOf).Distinct(StringComparer.Ordinal)],
            Id = Value("id") is { } id ? IdOf(id) : null,
            Queue = Value("queue") is { } queue ? QueueOf(queue) : null,
            Name = Value("name"),
            OrderingKey = Value("ordering_key"),
            Worker = Value("worker"),
            BatchId = Value("batch") is { } batch ? BatchOf(batch) : null,
            Schedule = Value("schedule"),
            Owner = Value("owner"),
            Error = Value("error"),
            CreatedFrom = Time("created_from"),
            CreatedTo = Time("created_to"),
            FinishedFrom = Time("finished_from"),
            FinishedTo = Time("finished_to"),
        };
        if (search.Tags.Count > TaskTags.Max)
            throw Wrong($"tag may be repeated up to {TaskTags.Max} times");
        if (search is { Schedule: not null, Queue: null })
            throw Wrong("schedule needs queue: the name of a schedule is unique within its queue");
        if (search.Owner is { } owner && owner != access.Tenant && !access.SeesAllTenants)
            throw new ApiException(403, "forbidden", "only administrators of all tenants may search for an owner; omit owner");
        return search;

        string? Value(string name) => given[name].Count() > 1 ? throw Wrong($"{name} must be given once") : Values(name).SingleOrDefault();

        IEnumerable<string> Values(string name) => given[name].Select(value => Clean(name, value));

        DateTime? Time(string name) =>
            Value(name) is { } text ? PointInTime.Parse(text) ?? throw Wrong($"{name} must be {PointInTime.Rule}") : null;
    }

    /// <summary>A number from 1 to a maximum.</summary>
    /// <exception cref="ApiException">400.</exception>
    public static int Limit(string? text, int byDefault, int max) =>
        text is null ? byDefault
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit >= 1 && limit <= max ? limit
        : throw Wrong($"limit must be 1 to {max}");

    public static ApiException Wrong(string message) => new(400, "invalid_search", message);

    private static string Clean(string name, string? value) =>
        string.IsNullOrEmpty(value) ? throw Wrong($"{name} must not be empty; omit it to find any")
        : value.Length > MaxText ? throw Wrong($"{name} must have at most {MaxText} characters")
        : TextRules.IsClean(value) ? value
        : throw Wrong($"{name}: {TextRules.Rule}");

    private static int StateOf(string word) =>
        word == TaskSearch.ScheduledWord ? TaskSearch.Scheduled
        : TaskStates.Parse(word) ?? throw Wrong(
            $"state must be {string.Join(", ", TaskStates.All.Select(TaskStates.Word))} or {TaskSearch.ScheduledWord}");

    private static string TagOf(string tag) => TaskTags.IsValid(tag) ? tag : throw Wrong($"there can be no such tag: {TaskTags.Rule}");

    private static Guid IdOf(string text) => Guid.TryParse(text, out var id) ? id : throw Wrong("id must be the UUID of a task");

    private static string QueueOf(string name) =>
        QueueNames.IsValid(name) ? name : throw Wrong($"queue must be {QueueNames.Rule}, without a tier");

    private static Guid BatchOf(string text) =>
        Guid.TryParse(text, out var id) ? id : BatchId.Parse(text)?.ToGuid() ?? throw Wrong("batch must be the id of a batch");
}
