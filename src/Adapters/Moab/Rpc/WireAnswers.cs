using Google.Protobuf;
using TaskQueue.Adapters.Moab.Wire;

namespace TaskQueue.Adapters.Moab.Rpc;

/// <summary>Maps the API's models to responses.</summary>
internal static class WireAnswers
{
    public static WireNothing Nothing<T>(T answer) => new();

    public static WireQueueAnswer Queue(MoabQueueAnswer answer) => new() { Queue = Queue(answer.Queue) };

    public static WireQueues Queues(MoabQueuesAnswer answer) => new()
    {
        Queues = { answer.Queues.Select(Queue) },
        NextPaginationToken = answer.NextPaginationToken,
        PreviousPaginationToken = answer.PreviousPaginationToken,
    };

    public static WirePreviewGetQueueAnswer PreviewQueue(MoabGetQueueAnswer answer) => new()
    {
        Queue = Queue(answer.Queue),
        Schedules = { answer.Schedules.Select(s => Schedule(s, MoabNumbering.First)) },
        Stats = new()
        {
            EnqueuedTasksCount = answer.Stats.EnqueuedTasksCount,
            InProgressTasksCount = answer.Stats.InProgressTasksCount,
            DeadTasksCount = answer.Stats.DeadTasksCount,
            AgeOfOldestEnqueuedTask = answer.Stats.AgeOfOldestEnqueuedTask,
        },
    };

    public static WireGetQueueAnswer Queue(MoabGetQueueAnswer answer, MoabNumbering numbering) => new()
    {
        Queue = Queue(answer.Queue),
        Schedules = { answer.Schedules.Select(s => Schedule(s, numbering)) },
        Stats = new()
        {
            EnqueuedTasksCount = answer.Stats.EnqueuedTasksCount,
            InProgressTasksCount = answer.Stats.InProgressTasksCount,
            DeadTasksCount = answer.Stats.DeadTasksCount,
            ProcessedTasksCount = answer.Stats.ProcessedTasksCount,
            ExpiredTasksCount = answer.Stats.ExpiredTasksCount,
            AgeOfOldestEnqueuedTask = answer.Stats.AgeOfOldestEnqueuedTask,
        },
        Now = answer.Now,
    };

    public static WireTasks Tasks(MoabTasksAnswer answer) => new() { Tasks = { answer.Tasks.Select(Task) }, Now = answer.Now };

    public static WireTaskAnswer Task(MoabTaskAnswer answer) => new() { Task = Task(answer.Task), Now = answer.Now };

    public static WireTaskPage TaskPage(MoabTaskPageAnswer answer) => new()
    {
        Tasks = { answer.Tasks.Select(Task) },
        NextPaginationToken = answer.NextPaginationToken,
        PreviousPaginationToken = answer.PreviousPaginationToken,
        Now = answer.Now,
    };

    public static WireResults Report(MoabReportAnswer answer) => new()
    {
        Entries = { answer.Entries.Select(e => new WireResult { TaskId = e.TaskId, Result = WireWords.Report(e.Result) }) },
    };

    public static WireResults Restart(MoabRestartAnswer answer) => new()
    {
        Entries =
        {
            answer.Entries.Select(e => new WireResult
            {
                TaskId = e.TaskId,
                Result = WireWords.Restart(e.Result),
                Task = e.Task is { } task ? Task(task) : null,
            }),
        },
        Now = answer.Now,
    };

    public static WireScheduleAnswer Schedule(MoabScheduleAnswer answer, MoabNumbering numbering) =>
        new() { Schedule = Schedule(answer.Schedule, numbering) };

    public static WireSchedules Schedules(MoabSchedulesAnswer answer, MoabNumbering numbering) => new()
    {
        Schedules = { answer.Schedules.Select(s => Schedule(s, numbering)) },
        NextPaginationToken = answer.NextPaginationToken,
        PreviousPaginationToken = answer.PreviousPaginationToken,
    };

    private static WireQueue Queue(MoabQueue queue) => new()
    {
        Name = queue.Name,
        Description = queue.Description,
        CreatedAt = queue.CreatedAt,
        UpdatedAt = queue.UpdatedAt,
        Version = queue.Version,
        KeepaliveTimeoutInSeconds = queue.KeepaliveTimeoutInSeconds,
        RetryStrategy = Retry(queue.RetryStrategy),
        DequeuingSettings = Dequeuing(queue.DequeuingSettings),
        DeadLetterQueueConfig = queue.DeadLetterQueueConfig is { } dead
            ? new()
            {
                Enable = dead.Enable ?? false,
                MaxSize = dead.MaxSize ?? 0,
                RetentionPeriodInSeconds = dead.RetentionPeriodInSeconds ?? 0,
            }
            : null,
        ExpiresInSeconds = queue.ExpiresInSeconds,
    };

    private static WireDequeuing? Dequeuing(MoabDequeuingSettings? settings) =>
        settings is null ? null : new()
        {
            MaxInProgressTasks = settings.MaxInProgressTasks ?? 0,
            RateLimiting = settings.RateLimiting is { } rate
                ? new()
                {
                    MaxTokens = rate.MaxTokens ?? 0,
                    Interval = rate.Interval ?? 0,
                    IntervalUnit = WireWords.Unit(rate.IntervalUnit),
                }
                : null,
            DequeuingPaused = settings.DequeuingPaused ?? false,
        };

    private static WireTask Task(MoabTask task) => new()
    {
        Id = task.Id,
        QueueName = task.QueueName,
        Payload = WireWords.Payload(task.Payload, task.PayloadBase64),
        CreatedAt = task.CreatedAt,
        ScheduledAt = task.ScheduledAt,
        ExpiresAt = task.ExpiresAt,
        DedupeKey = task.DedupeKey,
        Attempts = task.Attempts,
        ThreadId = task.ThreadId,
        State = WireWords.State(task.State),
        VisibleAt = task.VisibleAt,
    };

    private static ByteString Schedule(MoabSchedule schedule, MoabNumbering numbering)
    {
        var payload = WireWords.Payload(schedule.Payload, schedule.PayloadBase64);
        if (numbering == MoabNumbering.First)
        {
            return new WireSchedule
            {
                Name = schedule.Name,
                Description = schedule.Description,
                QueueName = schedule.QueueName,
                CreatedAt = schedule.CreatedAt,
                UpdatedAt = schedule.UpdatedAt,
                Version = schedule.Version,
                Cron = schedule.Cron,
                Payload = payload,
                DedupeKey = schedule.DedupeKey,
                ExpiresInSeconds = schedule.ExpiresInSeconds,
                KeepaliveTimeoutInSeconds = schedule.KeepaliveTimeoutInSeconds,
                RetryStrategy = Retry(schedule.RetryStrategy),
                Timezone = schedule.Timezone,
            }.ToByteString();
        }

        return new WirePresentSchedule
        {
            Name = schedule.Name,
            Description = schedule.Description,
            QueueName = schedule.QueueName,
            CreatedAt = schedule.CreatedAt,
            UpdatedAt = schedule.UpdatedAt,
            Version = schedule.Version,
            Cron = schedule.Cron,
            Payload = payload,
            DedupeKey = schedule.DedupeKey,
            ExpiresInSeconds = schedule.ExpiresInSeconds,
            RetryStrategy = Retry(schedule.RetryStrategy),
            Timezone = schedule.Timezone,
        }.ToByteString();
    }

    private static WireRetry? Retry(MoabRetryStrategy? retry) =>
        retry is null ? null : new() { RetryIntervalsInSeconds = { retry.RetryIntervalsInSeconds ?? [] } };
}
