using System.Runtime.CompilerServices;

namespace TaskQueue.Client;

/// <summary>Schedules of all queues.</summary>
public sealed partial class TaskQueueClient
{
    /// <summary>Lists the schedules of all queues, by queue and name.</summary>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async IAsyncEnumerable<ScheduleInfo> SchedulesAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        for (string? cursor = ""; cursor is not null;)
        {
            var path = $"/schedules?limit=200{(cursor.Length == 0 ? "" : $"&cursor={Uri.EscapeDataString(cursor)}")}";
            var page = await TryAsync((server, _) => server.SendAsync(
                HttpMethod.Get, path, null, ScheduleJson.Default.ScheduleListAnswer, cancellationToken), cancellationToken);
            foreach (var schedule in page.Schedules)
                yield return schedule;
            cursor = page.NextCursor;
        }
    }

    /// <summary>The next ticks of a schedule; none while it is paused.</summary>
    /// <param name="queue">Its queue.</param>
    /// <param name="schedule">Its name.</param>
    /// <param name="count">How many: 1 to 100.</param>
    /// <param name="cancellationToken">Stops waiting for the response.</param>
    /// <exception cref="TaskQueueException">There is no such schedule (404), or the server did not answer.</exception>
    public Task<IReadOnlyList<DateTimeOffset>> NextTicksAsync(string queue, string schedule, int count = 5,
        CancellationToken cancellationToken = default) =>
        TicksAsync($"/queues/{Uri.EscapeDataString(queue)}/schedules/{Uri.EscapeDataString(schedule)}/next?count={count}",
            cancellationToken);

    /// <summary>The next ticks of a cron expression.</summary>
    /// <param name="cron">The expression.</param>
    /// <param name="timeZone">IANA name; null is UTC.</param>
    /// <param name="count">How many: 1 to 100.</param>
    /// <param name="cancellationToken">Stops waiting for the response.</param>
    /// <exception cref="TaskQueueException">It is invalid (400), or the server did not answer.</exception>
    public Task<IReadOnlyList<DateTimeOffset>> PreviewScheduleAsync(string cron, string? timeZone = null, int count = 5,
        CancellationToken cancellationToken = default) =>
        TicksAsync($"/schedules/preview?cron={Uri.EscapeDataString(cron)}&count={count}"
            + (timeZone is null ? "" : $"&time_zone={Uri.EscapeDataString(timeZone)}"), cancellationToken);

    private async Task<IReadOnlyList<DateTimeOffset>> TicksAsync(string path, CancellationToken cancellationToken) =>
        (await TryAsync((server, _) => server.SendAsync(HttpMethod.Get, path, null, ScheduleJson.Default.TicksAnswer, cancellationToken),
            cancellationToken)).Next;
}
