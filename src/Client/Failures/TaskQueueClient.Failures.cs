using System.Runtime.CompilerServices;

namespace TaskQueue.Client;

/// <summary>Groups of failures.</summary>
public sealed partial class TaskQueueClient
{
    /// <summary>Lists groups of failures with the same cause, those with the newest failure first.</summary>
    /// <param name="query">Which groups; null is all.</param>
    /// <param name="cancellationToken">Stops reading.</param>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async IAsyncEnumerable<FailureGroup> FailuresAsync(FailureQuery? query = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var filter = string.Concat(new[] { ("queue", query?.Queue), ("name", query?.Name), ("state", query?.State), ("kind", query?.Kind) }
            .Select(f => f.Item2 is null ? "" : $"&{f.Item1}={Uri.EscapeDataString(f.Item2)}"));
        for (string? cursor = ""; cursor is not null;)
        {
            var path = $"/failures?limit=200{filter}{(cursor.Length == 0 ? "" : $"&cursor={Uri.EscapeDataString(cursor)}")}";
            var page = await TryAsync((server, _) =>
                server.SendAsync(HttpMethod.Get, path, null, FailureJson.Default.FailureListAnswer, cancellationToken), cancellationToken);
            foreach (var group in page.Groups)
                yield return group;
            cursor = page.NextCursor;
        }
    }

    /// <summary>Gets a group of failures with its newest errors and stacks; null if it does not exist for this key.</summary>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async Task<FailureGroup?> GetFailureAsync(Guid id, CancellationToken cancellationToken = default)
    {
        try
        {
            return await TryAsync((server, _) => server.SendAsync(
                HttpMethod.Get, $"/failures/{id}", null, FailureJson.Default.FailureGroup, cancellationToken), cancellationToken);
        }
        catch (TaskQueueException fault) when (fault.Status == 404)
        {
            return null;
        }
    }

    /// <summary>Resolves, ignores or reopens a group of failures.</summary>
    /// <exception cref="TaskQueueException">There is no such group (404), or the server did not answer.</exception>
    public async Task<FailureGroup> DecideFailureAsync(Guid id, FailureDecision decision, CancellationToken cancellationToken = default) =>
        await TryAsync((server, _) => server.SendAsync(HttpMethod.Post, $"/failures/{id}/{decision.ToString().ToLowerInvariant()}", null,
            FailureJson.Default.FailureGroup, cancellationToken), cancellationToken);
}
