using System.Text.Json;
using TaskQueue.Api.Search;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Bulk;
using TaskQueue.Engine.Queues;
using TaskQueue.Http.Errors;

namespace TaskQueue.Api.Bulk;

/// <summary>Reads an operation from a body.</summary>
internal static class BulkRequest
{
    /// <summary>Most bytes of a body.</summary>
    public const int MaxBytes = 512 * 1024;

    private const double MinRate = 0.001, MaxRate = 10_000;

    private const string SelectionRule = "selection must be {\"ids\": [...]} or {\"search\": {...}}";

    /// <summary>Reads it.</summary>
    /// <exception cref="ApiException">400, or 403 for another owner.</exception>
    public static NewBulkOperation Read(BulkOperationBody body, Access access)
    {
        ArgumentNullException.ThrowIfNull(body);
        var action = ActionOf(body.Action);
        return new NewBulkOperation(
            action, SelectionOf(body.Selection, access), TargetOf(action, body.TargetQueue), PatchOf(action, body.Patch),
            body.RatePerSecond is null or (>= MinRate and <= MaxRate) ? body.RatePerSecond
                : throw Wrong("rate_per_second must be 0.001 to 10000; omit it for no limit"));
    }

    private static BulkAction ActionOf(string? word) => word switch
    {
        "retry" => BulkAction.Retry,
        "cancel" => BulkAction.Cancel,
        "delete" => BulkAction.Delete,
        "move" => BulkAction.Move,
        "edit" => BulkAction.Edit,
        _ => throw Wrong("action must be retry, cancel, delete, move or edit"),
    };

    private static BulkSelection SelectionOf(BulkSelectionBody? selection, Access access) => selection switch
    {
        { Ids: { } ids, Search: null } => new BulkSelection { Ids = IdsOf(ids) },
        { Ids: null, Search: { } search } => new BulkSelection { Search = SearchFilters.Read(Given(search), access) },
        { Ids: not null } => throw Wrong($"{SelectionRule}, not both"),
        _ => throw Wrong(SelectionRule),
    };

    private static List<Guid> IdsOf(IReadOnlyList<string> texts)
    {
        if (texts.Count is 0 or > BulkSelection.MaxIds)
            throw Wrong($"selection.ids must have 1 to {BulkSelection.MaxIds} ids; use selection.search for more tasks");
        var ids = new List<Guid>(texts.Count);
        for (var i = 0; i < texts.Count; i++)
            ids.Add(Guid.TryParse(texts[i], out var id) ? id : throw Wrong($"selection.ids[{i}] must be the UUID of a task"));
        return ids;
    }

    /// <summary>The filters as a query would have them.</summary>
    private static ILookup<string, string?> Given(IReadOnlyDictionary<string, JsonElement> search)
    {
        if (search.Keys.FirstOrDefault(name => !SearchFilters.All.Any(f => f.Name == name)) is { } unknown)
            throw Wrong($"selection.search has no filter {unknown}: there are {string.Join(", ", SearchFilters.All.Select(f => f.Name))}");
        return search.SelectMany(f => Values(f.Key, f.Value).Select(value => (Name: f.Key, Value: value)))
            .ToLookup(f => f.Name, f => f.Value, StringComparer.Ordinal);
    }

    private static IEnumerable<string?> Values(string name, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => [value.GetString()],
        JsonValueKind.Number => [value.GetRawText()], // a time in seconds
        JsonValueKind.Array when value.GetArrayLength() > 0 && value.EnumerateArray().All(v => v.ValueKind == JsonValueKind.String) =>
            value.EnumerateArray().Select(v => v.GetString()),
        _ => throw Wrong($"selection.search.{name} must be a text, or a list of texts"),
    };

    private static string? TargetOf(BulkAction action, string? queue)
    {
        if (action != BulkAction.Move)
            return queue is null ? null : throw Wrong("target_queue goes with action move only; omit it");
        return QueueNames.IsValid(queue) ? queue : throw Wrong($"target_queue must be {QueueNames.Rule}, without a tier");
    }

    private static string? PatchOf(BulkAction action, JsonElement? patch)
    {
        if (action != BulkAction.Edit)
            return patch is null ? null : throw Wrong("patch goes with action edit only; omit it");
        var text = patch?.GetRawText() ?? throw Wrong("patch is missing: action edit needs a JSON patch (RFC 6902) of the payload");
        try
        {
            JsonPatch.Read(text);
            return text;
        }
        catch (InvalidPatchException refused)
        {
            throw Wrong(refused.Message);
        }
    }

    public static ApiException Wrong(string message) => new(400, "invalid_operation", message);
}
