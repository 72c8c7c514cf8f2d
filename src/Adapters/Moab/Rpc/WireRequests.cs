using Google.Protobuf;
using Google.Protobuf.Collections;
using TaskQueue.Adapters.Moab.Wire;

namespace TaskQueue.Adapters.Moab.Rpc;

/// <summary>Maps requests to the API's models. A zero means not given, as in JSON.</summary>
internal static class WireRequests
{
    public static MoabCreateQueueBody ToCreateQueue(WireSettings request) =>
        new(request.Name, request.KeepaliveTimeoutInSeconds, request.Description, request.ExpiresInSeconds, Retry(request.RetryStrategy),
            Dequeuing(request.DequeuingSettings), DeadLetters(request.DeadLetterQueueConfig));

    public static MoabUpdateQueueBody ToUpdateQueue(WireSettings request) =>
        new(request.Name, request.KeepaliveTimeoutInSeconds, request.Description, request.ExpiresInSeconds, Retry(request.RetryStrategy),
            Dequeuing(request.DequeuingSettings), DeadLetters(request.DeadLetterQueueConfig), request.ExpectedVersion);

    public static MoabQueueBody ToQueue(WireName request) => new(request.QueueName);

    public static MoabListQueuesBody ToListQueues(WireQueueList request) => new(request.PaginationToken, request.Limit);

    /// <summary>Maps an Enqueue with the field numbers of the preview.</summary>
    public static MoabEnqueueBody ToPreviewEnqueue(WireEnqueue request) =>
        new(request.QueueName, [.. request.Entries.Select(entry => ToEntry(entry, MoabNumbering.First))]);

    /// <summary>Maps an Enqueue of v0: its entries tell their field numbers, and those that do not have the same in both.</summary>
    /// <exception cref="Http.Errors.ApiException">400: fields of both.</exception>
    public static MoabEnqueueBody ToEnqueue(WireEnqueue request)
    {
        var said = request.Entries.Select(Numbers.OfEntry).OfType<MoabNumbering>().Distinct().ToList();
        if (said.Count > 1)
            throw MoabFields.Wrong("the entries have fields of two versions of Moab's v0; send those of one");
        var numbering = said.Count == 1 ? said[0] : MoabNumbering.Present;
        return new(request.QueueName, [.. request.Entries.Select(entry => ToEntry(entry, numbering))]);
    }

    public static MoabDequeueBody ToDequeue(WireDequeue request) =>
        new(request.QueueName, request.BatchSize, request.KeepaliveTimeoutInSeconds);

    public static MoabReportBody ToReport(WireReport request) =>
        new(request.QueueName, [.. request.Entries.Select(entry => new MoabReportEntry(
            entry.TaskId, entry.Attempt, WireWords.Status(entry.Status), entry.KeepaliveTimeoutInSeconds))]);

    public static MoabTaskBody ToTask(WireName request) => new(request.QueueName, request.Name);

    public static MoabListTasksBody ToListTasks(WireList request) =>
        new(request.QueueName, request.PaginationToken, request.Limit, WireWords.State(request.State));

    public static MoabDeleteTasksBody ToDeleteTasks(WireTaskIds request) => new(request.QueueName, [.. request.TaskIds]);

    public static MoabRestartTasksBody ToPreviewRestartTasks(WireTaskIds request) => new(request.QueueName, TaskIds: [.. request.TaskIds]);

    public static MoabRestartTasksBody ToRestartTasks(WireRestart request) =>
        new(request.QueueName, [.. request.Entries.Select(e => new MoabRestartEntry(e.TaskId, e.ScheduledAt, e.ExpiresAt))]);

    public static MoabScheduleBody ToSchedule(WireName request) => new(request.QueueName, request.Name);

    public static MoabListSchedulesBody ToListSchedules(WireList request) =>
        new(request.QueueName, request.PaginationToken, request.Limit);

    public static MoabCreateScheduleBody ToCreateSchedule(byte[] request, MoabNumbering numbering)
    {
        var settings = ScheduleSettings(request, numbering);
        var (text, base64) = WireWords.Payload(settings.Payload);
        return new(settings.QueueName, settings.Name, settings.Cron, settings.Timezone, settings.Description, text, base64,
            settings.DedupeKey, settings.ExpiresInSeconds, settings.KeepaliveTimeoutInSeconds, Retry(settings.RetryStrategy));
    }

    public static MoabUpdateScheduleBody ToUpdateSchedule(byte[] request, MoabNumbering numbering)
    {
        var settings = ScheduleSettings(request, numbering);
        var (text, base64) = WireWords.Payload(settings.Payload);
        return new(settings.QueueName, settings.Name, settings.Cron, settings.Timezone, settings.Description, text, base64,
            settings.DedupeKey, settings.ExpiresInSeconds, settings.KeepaliveTimeoutInSeconds, Retry(settings.RetryStrategy),
            settings.ExpectedVersion);
    }

    private static WireScheduleSettings ScheduleSettings(byte[] request, MoabNumbering numbering)
    {
        if (numbering == MoabNumbering.First)
            return WireScheduleSettings.Parser.ParseFrom(request);
        var present = WirePresentScheduleSettings.Parser.ParseFrom(request);
        return new WireScheduleSettings
        {
            QueueName = present.QueueName,
            Name = present.Name,
            Description = present.Description,
            Cron = present.Cron,
            Payload = present.Payload,
            DedupeKey = present.DedupeKey,
            ExpiresInSeconds = present.ExpiresInSeconds,
            RetryStrategy = present.RetryStrategy,
            Timezone = present.Timezone,
            ExpectedVersion = present.ExpectedVersion,
        };
    }

    private static MoabEnqueueEntry ToEntry(ByteString bytes, MoabNumbering numbering)
    {
        if (numbering == MoabNumbering.First)
        {
            var entry = WireEntry.Parser.ParseFrom(bytes);
            var (text, base64) = WireWords.Payload(entry.Payload);
            return new(text, base64, entry.ScheduledAt, entry.ExpiresAt, entry.DedupeKey, entry.KeepaliveTimeoutInSeconds,
                Retry(entry.RetryStrategy), Fields(entry.OverwriteOnDuplicate), entry.ThreadId);
        }

        var present = WirePresentEntry.Parser.ParseFrom(bytes);
        var payload = WireWords.Payload(present.Payload);
        return new(payload.Text, payload.Base64, present.ScheduledAt, present.ExpiresAt, present.DedupeKey,
            RetryStrategy: Retry(present.RetryStrategy), OverwriteOnDuplicate: Fields(present.OverwriteOnDuplicate),
            ThreadId: present.ThreadId);
    }

    private static List<string?> Fields(RepeatedField<int> numbers) => [.. numbers.Select(WireWords.Field)];

    private static MoabRetryStrategy? Retry(WireRetry? retry) => retry is null ? null : new([.. retry.RetryIntervalsInSeconds]);

    private static MoabDequeuingSettings? Dequeuing(WireDequeuing? settings) =>
        settings is null ? null
            : new(settings.MaxInProgressTasks,
                settings.RateLimiting is { } rate ? new(rate.MaxTokens, rate.Interval, WireWords.Unit(rate.IntervalUnit)) : null,
                settings.DequeuingPaused);

    private static MoabDeadLetters? DeadLetters(WireDeadLetters? config) =>
        config is null ? null : new(config.Enable, config.MaxSize, config.RetentionPeriodInSeconds);
}
