using System.Globalization;
using System.Runtime.CompilerServices;

namespace TaskQueue.Client;

/// <summary>Searches.</summary>
public sealed partial class TaskQueueClient
{
    /// <summary>Searches tasks, newest first, reading page after page while it is enumerated.</summary>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async IAsyncEnumerable<FoundTask> SearchAsync(
        TaskSearch search, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        for (string? cursor = null; ;)
        {
            var page = await SearchPageAsync(search, cursor, cancellationToken);
            foreach (var task in page.Tasks)
                yield return task;
            if ((cursor = page.NextCursor) is null)
                yield break;
        }
    }

    /// <summary>Reads a page of a search. There may be a next page although this one is not full.</summary>
    /// <param name="search">What to look for.</param>
    /// <param name="cursor">Where the page starts: see <see cref="TaskSearchPage.NextCursor"/>; null is the first page.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public Task<TaskSearchPage> SearchPageAsync(TaskSearch search, string? cursor = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(search);
        var path = $"/tasks?{string.Join('&', Parameters(search, cursor).Select(p => $"{p.Name}={Uri.EscapeDataString(p.Value)}"))}";
        return TryAsync((server, _) =>
            server.SendAsync(HttpMethod.Get, path, null, SearchJson.Default.TaskSearchPage, cancellationToken), cancellationToken);
    }

    private static IEnumerable<(string Name, string Value)> Parameters(TaskSearch search, string? cursor)
    {
        var paging = Filters(search).Append(("limit", search.PageSize.ToString(CultureInfo.InvariantCulture)));
        return cursor is null ? paging : paging.Append(("cursor", cursor));
    }

    private static IEnumerable<(string Name, string Value)> Filters(TaskSearch search)
    {
        (string Name, string? Value)[] single =
        [
            ("id", search.Id?.ToString()), ("queue", search.Queue), ("name", search.Name), ("ordering_key", search.OrderingKey),
            ("worker", search.Worker), ("batch", search.Batch), ("schedule", search.Schedule), ("owner", search.Owner),
            ("error", search.Error), ("created_from", Text(search.CreatedFrom)), ("created_to", Text(search.CreatedTo)),
            ("finished_from", Text(search.FinishedFrom)), ("finished_to", Text(search.FinishedTo)),
        ];
        return search.Statuses.Select(status => ("state", status.ToString().ToLowerInvariant()))
            .Concat(search.Tags.Select(tag => ("tag", tag)))
            .Concat(single.Where(p => p.Value is not null).Select(p => (p.Name, p.Value!)));
    }

    private static string? Text(DateTimeOffset? time) =>
        time?.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture);
}
