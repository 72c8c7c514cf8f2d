using TaskQueue.Client.Http;

namespace TaskQueue.Client;

/// <summary>Declares, runs and deletes schedules.</summary>
public sealed partial class TaskQueueClient
{
    /// <summary>Creates a schedule in a declared queue, or replaces all its settings. Needs the scope admin.</summary>
    /// <param name="queue">Base name of the queue.</param>
    /// <param name="name">Name of the schedule, unique within the queue.</param>
    /// <param name="schedule">Its settings.</param>
    /// <param name="cancellationToken">Stops waiting for the response.</param>
    /// <exception cref="TaskQueueException">The queue is not declared, the settings are invalid, or the server did not answer.</exception>
    public async Task<ScheduleInfo> ScheduleAsync(string queue, string name, NewSchedule schedule,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(schedule);
        var body = SettingsBody.Of(schedule.Data is { } data && _codec is not null
            ? schedule with { Data = _codec.Encode(TaskText.Data, data) } : schedule);
        return await TryAsync(async (server, _) =>
        {
            using var content = Content(body);
            return await server.SendAsync(HttpMethod.Put, SchedulePath(queue, name), content, ScheduleJson.Default.ScheduleInfo,
                cancellationToken);
        }, cancellationToken);
    }

    /// <summary>Gets a schedule; null if there is none.</summary>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async Task<ScheduleInfo?> GetScheduleAsync(string queue, string name, CancellationToken cancellationToken = default)
    {
        try
        {
            return await TryAsync((server, _) =>
                server.SendAsync(HttpMethod.Get, SchedulePath(queue, name), null, ScheduleJson.Default.ScheduleInfo, cancellationToken),
                cancellationToken);
        }
        catch (TaskQueueException fault) when (fault.Status == 404)
        {
            return null;
        }
    }

    /// <summary>Lists the schedules of a queue.</summary>
    /// <exception cref="TaskQueueException">There is no such queue, or the server did not answer.</exception>
    public async Task<IReadOnlyList<ScheduleInfo>> QueueSchedulesAsync(string queue, CancellationToken cancellationToken = default) =>
        (await TryAsync((server, _) => server.SendAsync(HttpMethod.Get, $"/queues/{Uri.EscapeDataString(queue)}/schedules", null,
            ScheduleJson.Default.QueueSchedulesAnswer, cancellationToken), cancellationToken)).Schedules;

    /// <summary>Pauses a schedule; ticks that pass are skipped. Needs the scope admin.</summary>
    /// <exception cref="TaskQueueException">There is no such schedule, or the server did not answer.</exception>
    public Task<ScheduleInfo> PauseScheduleAsync(string queue, string name, CancellationToken cancellationToken = default) =>
        SetScheduleAsync(queue, name, "pause", cancellationToken);

    /// <summary>Resumes a paused schedule with its next tick. Needs the scope admin.</summary>
    /// <exception cref="TaskQueueException">There is no such schedule, or the server did not answer.</exception>
    public Task<ScheduleInfo> ResumeScheduleAsync(string queue, string name, CancellationToken cancellationToken = default) =>
        SetScheduleAsync(queue, name, "resume", cancellationToken);

    private Task<ScheduleInfo> SetScheduleAsync(string queue, string name, string verb, CancellationToken cancellationToken) =>
        TryAsync((server, _) => server.SendAsync(HttpMethod.Post, $"{SchedulePath(queue, name)}/{verb}", null,
            ScheduleJson.Default.ScheduleInfo, cancellationToken), cancellationToken);

    /// <summary>Enqueues a task of a schedule now; its ticks are unaffected. Sent once. Needs the scope admin.</summary>
    /// <exception cref="TaskQueueException">There is no such schedule, or the server did not answer.</exception>
    public async Task<EnqueuedTask> RunScheduleAsync(string queue, string name, CancellationToken cancellationToken = default)
    {
        var answer = await _clients.Connect().SendAsync(HttpMethod.Post, $"{SchedulePath(queue, name)}/run", null,
            TaskJson.Default.QueuedAnswer, cancellationToken);
        return new EnqueuedTask(answer.Id, answer.Status == "duplicate" ? EnqueueResult.Duplicate : EnqueueResult.Queued);
    }

    /// <summary>Deletes a schedule; its tasks stay. Needs the scope admin.</summary>
    /// <exception cref="TaskQueueException">There is no such schedule, or the server did not answer.</exception>
    public async Task DeleteScheduleAsync(string queue, string name, CancellationToken cancellationToken = default) =>
        await CallAsync(HttpMethod.Delete, SchedulePath(queue, name), null, cancellationToken);

    private static string SchedulePath(string queue, string name) =>
        $"/queues/{Uri.EscapeDataString(queue)}/schedules/{Uri.EscapeDataString(name)}";
}
