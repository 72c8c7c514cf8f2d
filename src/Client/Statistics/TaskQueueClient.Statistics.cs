using System.Globalization;

namespace TaskQueue.Client;

/// <summary>Statistics.</summary>
public sealed partial class TaskQueueClient
{
    /// <summary>Gets what happened to the tasks of queues over time.</summary>
    /// <param name="query">Null: the last hour by minute, of all queues that the key covers.</param>
    /// <param name="cancellationToken">Stops waiting for the response.</param>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async Task<IReadOnlyList<QueueStatistics>> StatisticsAsync(
        StatisticsQuery? query = null, CancellationToken cancellationToken = default)
    {
        query ??= new StatisticsQuery();
        var given = query.Queues.Select(q => ("queue", (string?)q))
            .Concat([("from", Text(query.From)), ("to", Text(query.To)), ("step", query.Step)])
            .Where(p => p.Item2 is not null).Select(p => $"{p.Item1}={Uri.EscapeDataString(p.Item2!)}");
        var path = $"/statistics?{string.Join('&', given)}";
        return (await TryAsync((server, _) =>
            server.SendAsync(HttpMethod.Get, path, null, StatisticsJson.Default.StatisticsAnswer, cancellationToken),
            cancellationToken)).Queues;

        static string? Text(DateTimeOffset? time) => time?.UtcDateTime.ToString("O", CultureInfo.InvariantCulture);
    }
}
