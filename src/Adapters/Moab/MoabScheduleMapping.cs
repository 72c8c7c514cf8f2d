using TaskQueue.Engine.Schedules;
using TaskQueue.Http.Auth;

namespace TaskQueue.Adapters.Moab;

/// <summary>Maps between Moab's schedules and the engine's.</summary>
internal static class MoabScheduleMapping
{
    /// <exception cref="TaskQueue.Http.Errors.ApiException">400.</exception>
    public static ScheduleSettings ToSettings(MoabCreateScheduleBody body)
    {
        MoabFields.Retry(body.RetryStrategy, "retry_strategy");
        var (retry, attempts) = MoabFields.Retries(body.RetryStrategy);
        var settings = new ScheduleSettings
        {
            Description = MoabFields.Description(body.Description),
            Cron = body.Cron ?? "",
            TimeZone = body.Timezone ?? "",
            Payload = MoabFields.Payload(body.Payload, body.PayloadBase64, "payload"),
            DedupeKey = MoabFields.Key(body.DedupeKey, "dedupe_key"),
            ExpireAfterMs = MoabFields.Life(body.ExpiresInSeconds, "expires_in_seconds") * 1000,
            LeaseMs = MoabFields.Milliseconds(MoabFields.KeepaliveOverride(body.KeepaliveTimeoutInSeconds, "keepalive_timeout_in_seconds")),
            Retry = retry,
            MaxAttempts = attempts,
        };
        try
        {
            CronSchedule.Parse(settings.Cron, settings.TimeZone); // reports an invalid cron expression before any lookup
        }
        catch (InvalidScheduleException fault)
        {
            throw MoabFields.Wrong(fault.Message);
        }

        return settings;
    }

    public static MoabCreateScheduleBody ToSettingsBody(MoabUpdateScheduleBody body) =>
        new(body.QueueName, body.ScheduleName, body.Cron, body.Timezone, body.Description, body.Payload, body.PayloadBase64, body.DedupeKey,
            body.ExpiresInSeconds, body.KeepaliveTimeoutInSeconds, body.RetryStrategy);

    public static MoabSchedule ToSchedule(ScheduleRecord schedule, Redactor redactor)
    {
        var settings = schedule.Settings;
        var (payload, base64) = MoabPayload.Read(redactor.Json(settings.Payload));
        return new MoabSchedule
        {
            Name = schedule.Name,
            Description = redactor.Text("description", settings.Description),
            QueueName = schedule.Queue,
            CreatedAt = MoabFields.Nanoseconds(schedule.CreatedAt),
            UpdatedAt = MoabFields.Nanoseconds(schedule.UpdatedAt),
            Version = schedule.Version,
            Cron = settings.Cron,
            Timezone = settings.TimeZone,
            Payload = payload,
            PayloadBase64 = base64,
            DedupeKey = settings.DedupeKey ?? "",
            ExpiresInSeconds = (settings.ExpireAfterMs ?? 0) / 1000,
            KeepaliveTimeoutInSeconds = (settings.LeaseMs ?? 0) / 1000,
            RetryStrategy = Retry(settings),
        };
    }

    /// <summary>Retry intervals; empty for a single attempt, null if the queue decides.</summary>
    private static MoabRetryStrategy? Retry(ScheduleSettings settings) =>
        settings.Retry?.Intervals is { } intervals ? new([.. intervals.Select(i => (long)Math.Ceiling(i))])
            : settings.MaxAttempts == 1 ? new([])
            : null;
}
