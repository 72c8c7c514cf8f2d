using Microsoft.OpenApi;
using TaskQueue.Engine.Search;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Search;

/// <summary>
/// GET /tasks with other parameters than <c>status</c> alone: a search. Without any it is the original list, so both share the route.
/// </summary>
internal static class SearchEndpoint
{
    private const int DefaultPage = 50;
    private const int MaxPage = 200;

    /// <summary>Makes a search of a request without filters.</summary>
    private const string Marker = "search";

    private static readonly HashSet<string> Names =
        [.. SearchFilters.All.Select(f => f.Name), "limit", "cursor", Marker];

    /// <summary>Whether a request is a search.</summary>
    public static bool IsMeant(IQueryCollection query) => query.Keys.Any(name => name != "status");

    /// <summary>Documents the parameters and the answer of a search beside those of the list.</summary>
    public static RouteHandlerBuilder TakesSearch(this RouteHandlerBuilder route)
    {
        foreach (var (name, description) in SearchFilters.All)
            _ = name is "state" or "tag" ? route.TakesTexts(name, description) : route.TakesQuery(name, description);
        return route.TakesWhole("limit", $"1 to {MaxPage}; default {DefaultPage}.")
            .TakesQuery("cursor", "next_cursor of the previous page, with the same filters.")
            .TakesQuery(Marker, "Empty: a search without filters.")
            .AddOpenApiOperationTransformer(async (operation, context, cancellationToken) =>
            {
                if (operation.Responses?.TryGetValue("200", out var response) != true || response?.Content is not { } content)
                    return;
                var task = await context.ComponentAsync<TaskFound>(cancellationToken);
                var total = await context.ComponentAsync<TasksTotal>(cancellationToken);
                var found = await context.ComponentAsync<TasksFound>(cancellationToken, ("tasks", task), ("total", total));
                // Generators that know no alternatives take the first.
                content["application/json"].Schema = new OpenApiSchema { OneOf = [found, content["application/json"].Schema!] };
            });
    }

    /// <summary>Answers a search; errors have the format of the native routes.</summary>
    public static async Task<IResult> AnswerAsync(HttpContext context, ITaskSearch tasks, Redaction redaction)
    {
        try
        {
            return await FindAsync(context, tasks, redaction.For(context.Caller()));
        }
        catch (Exception refused) when (refused is ApiException or InvalidSearchException)
        {
            return ApiErrors.Problem(ApiErrors.ToFault(refused));
        }
    }

    private static async Task<IResult> FindAsync(HttpContext context, ITaskSearch tasks, Redactor redactor)
    {
        var given = context.Request.Query.SelectMany(p => p.Value.Select(value => (p.Key, Value: value)))
            .ToLookup(p => p.Key, p => p.Value, StringComparer.Ordinal);
        if (given.FirstOrDefault(p => !Names.Contains(p.Key))?.Key is { } unknown)
            throw SearchFilters.Wrong(unknown == "status" ? "status cannot be combined with other parameters: use state"
                : $"there is no parameter {unknown}: a search takes {string.Join(", ", Names.Order(StringComparer.Ordinal))}");
        var access = context.Access();
        var search = SearchFilters.Read(given, access);
        if (search.Error is not null && redactor.IsOn)
            throw new ApiException(403, "forbidden", "errors are redacted for this caller, so it cannot search by error; omit error");
        var page = new SearchPaging(Cursor(Once("cursor")), SearchFilters.Limit(Once("limit"), DefaultPage, MaxPage), redactor.IsOn);
        var found = await tasks.SearchAsync(search, page, access, context.Memory().ReserveAnswerAsync, context.RequestAborted);
        return Results.Json(SearchMapping.ToPage(found, redactor), SearchJson.Instance.TasksFound);

        string? Once(string name) => given[name].Count() > 1 ? throw SearchFilters.Wrong($"{name} must be given once") : given[name]
            .SingleOrDefault();
    }

    private static SearchCursor? Cursor(string? text) =>
        text is null ? null : SearchCursor.Parse(text) ?? throw SearchFilters.Wrong("cursor must be next_cursor of another page");
}
