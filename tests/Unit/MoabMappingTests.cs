using System.ComponentModel.DataAnnotations;
using Shouldly;
using TaskQueue.Adapters.Moab;
using TaskQueue.Contracts;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Errors;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Moab's queues from the engine's, pages, and the limits of the API.</summary>
public sealed class MoabMappingTests
{
    private static readonly MoabCreateQueueBody Least = new("Q", 15);

    [Fact]
    public void A_minimal_queue_has_the_defaults()
    {
        var settings = MoabQueueMapping.ToSettings(Least);

        settings.LeaseMs.ShouldBe(15_000);
        settings.ExpireAfterMs.ShouldBe(1_209_600_000);
        settings.MaxAttempts.ShouldBe(1);
        settings.Retry.ShouldBeNull();
        settings.DeadLetters.ShouldBe(new DeadLetterSettings(Enabled: false));
        settings.IsLimited.ShouldBeFalse();
        var queue = MoabQueueMapping.ToQueue(Record(settings));
        queue.ShouldBe(new MoabQueue("Q", "", 0, 0, 1, 15, 1_209_600, null, null, null));
    }

    [Fact]
    public void A_queue_is_read_back_as_written()
    {
        var body = Least with
        {
            RetryStrategy = new(),
            DequeuingSettings = new(null, new(0, 90, "INTERVAL_UNIT_MINUTES"), null),
            DeadLetterQueueConfig = new(),
        };

        var queue = MoabQueueMapping.ToQueue(Record(MoabQueueMapping.ToSettings(body)));

        queue.RetryStrategy!.RetryIntervalsInSeconds.ShouldBeEmpty();
        queue.DequeuingSettings.ShouldBe(new MoabDequeuingSettings(0, new(0, 90, "MINUTES"), false));
        queue.DeadLetterQueueConfig.ShouldBe(new MoabDeadLetters(false, 0, 1_209_600));
    }

    [Fact]
    public void Changes_by_another_API_are_shown()
    {
        var said = MoabQueueMapping.ToSettings(Least with
        {
            RetryStrategy = new([1, 2]),
            DequeuingSettings = new(3, new(5, 120, "SECONDS"), false),
            DeadLetterQueueConfig = new(true, 2, 60),
        });

        var queue = MoabQueueMapping.ToQueue(Record(said with
        {
            Paused = true,
            Retry = new RetryPolicy { Intervals = [0.5] },
            MaxAttempts = 3,
            DeadLetters = new(Enabled: true, MaxSize: 9, RetentionMs: 90_000),
        }));

        queue.RetryStrategy!.RetryIntervalsInSeconds.ShouldBe([1L, 1L]);
        queue.DequeuingSettings.ShouldBe(new MoabDequeuingSettings(3, new(5, 120, "SECONDS"), true));
        queue.DeadLetterQueueConfig.ShouldBe(new MoabDeadLetters(true, 9, 90));
        var other = MoabQueueMapping.ToQueue(Record(said with { Rate = new RateLimit(7, 7_200_000) }));
        other.DequeuingSettings!.RateLimiting.ShouldBe(new MoabRateLimiting(7, 2, "HOURS"));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("not json")]
    [InlineData("{}")]
    [InlineData("""{"API":"other"}""")]
    public void A_queue_of_another_API_is_shown_as_far_as_possible(string? mark)
    {
        var record = Record(new QueueSettings { Adapter = mark, Rate = new RateLimit(5, 1_500) });

        var queue = MoabQueueMapping.ToQueue(record);

        MoabQueueMapping.IsOurs(record).ShouldBeFalse();
        queue.KeepaliveTimeoutInSeconds.ShouldBe(15);
        queue.ExpiresInSeconds.ShouldBe(0);
        queue.RetryStrategy!.RetryIntervalsInSeconds.ShouldBe([2L, 4L, 8L]);
        queue.DequeuingSettings.ShouldBe(new MoabDequeuingSettings(0, new(5, 2, "SECONDS"), false));
        queue.DeadLetterQueueConfig.ShouldBe(new MoabDeadLetters(true, 0, 0));
    }

    [Fact]
    public void Pages_of_names_can_be_read_forwards_and_backwards()
    {
        string[] all = [.. Enumerable.Range(0, 10).Select(i => $"q-{i}")];
        var pages = new List<MoabPage<string>>();
        var token = "";
        do
        {
            pages.Add(MoabPages.Of('q', all.Reverse(), name => name, token, 3));
            token = pages[^1].Next;
        }
        while (token.Length > 0);

        pages.SelectMany(p => p.Items).ShouldBe(all);
        pages.Select(p => p.Items.Count).ShouldBe([3, 3, 3, 1]);
        pages[0].Previous.ShouldBeEmpty();
        for (var page = pages.Count - 1; page > 0; page--)
        {
            var before = MoabPages.Of('q', all, name => name, pages[page].Previous, 3);
            before.Items.ShouldBe(pages[page - 1].Items);
            before.Previous.ShouldBe(pages[page - 1].Previous);
            before.Next.ShouldBe(pages[page - 1].Next);
        }
    }

    [Fact]
    public void A_page_token_still_works_after_its_item_is_deleted()
    {
        string[] all = ["a", "b", "c", "d"];
        var first = MoabPages.Of('q', all, name => name, null, 2);

        MoabPages.Of('q', ["a", "c", "d"], name => name, first.Next, 2).Items.ShouldBe(["c", "d"]);
        var end = MoabPages.Of('q', ["a", "b"], name => name, first.Next, 2);
        end.Items.ShouldBeEmpty();
        end.Next.ShouldBeEmpty();
        MoabPages.Of('q', ["a", "b"], name => name, end.Previous, 2).Items.ShouldBe(["a", "b"]);
        MoabPages.Of<string>('q', [], name => name, first.Next, 2).ShouldBe(new MoabPage<string>([], "", ""), new SamePage());
    }

    [Fact]
    public void A_page_token_of_another_list_is_refused()
    {
        var token = MoabPages.Of('q', ["a", "b"], name => name, null, 1).Next;

        foreach (var wrong in new[] { token[..^1], "?", "AA", "AA==", new string('A', 1025), new string('A', 1024),
            MoabPlace.End(TaskList.Live) })
            Should.Throw<ApiException>(() => MoabPages.Of('q', ["a", "b"], name => name, wrong, 1)).Fault.Status.ShouldBe(400);
        Should.Throw<ApiException>(() => MoabPages.Of('s', ["a", "b"], name => name, token, 1));
        Should.Throw<ApiException>(() => MoabPlace.Parse(token, TaskList.Live));
        Should.Throw<ApiException>(() => MoabPlace.Parse(MoabPlace.End(TaskList.Live), TaskList.Dead));
    }

    [Fact]
    public void A_token_may_have_1024_characters()
    {
        var longest = new string('A', 1024);

        MoabPages.Token(longest)!.Length.ShouldBe(768);
        MoabPages.Token($"{longest[..1020]} ")!.Length.ShouldBe(765); // base64 may have spaces
        Should.Throw<ApiException>(() => MoabPages.Token($"{longest} ")).Fault.Status.ShouldBe(400);
    }

    [Fact]
    public void A_task_may_be_scheduled_fourteen_days_ahead_and_not_longer()
    {
        var now = new DateTime(2031, 2, 3, 4, 5, 6, DateTimeKind.Utc);
        var horizon = MoabFields.Nanoseconds(now.AddDays(14));

        foreach (var at in new[] { horizon - 100, horizon })
            MoabFields.ScheduledAt(at, now, "scheduled_at").ShouldBe(DateTime.UnixEpoch.AddTicks(at / 100));
        Should.Throw<ApiException>(() => MoabFields.ScheduledAt(horizon + 100, now, "scheduled_at")).Fault.Status.ShouldBe(400);
    }

    [Theory]
    [InlineData(2262, 1, 1, 9_214_646_400_000_000_000)]
    [InlineData(2300, 1, 1, 9_223_372_036_854_775_800)]
    [InlineData(9000, 1, 1, 9_223_372_036_854_775_800)]
    public void A_time_that_nanoseconds_cannot_express_is_the_last_one(int year, int month, int day, long nanoseconds)
    {
        MoabFields.Nanoseconds(new DateTime(year, month, day, 0, 0, 0, DateTimeKind.Utc)).ShouldBe(nanoseconds);
        MoabFields.Nanoseconds(DateTime.MaxValue).ShouldBe(9_223_372_036_854_775_800);
    }

    [Fact]
    public void A_position_round_trips_through_its_token()
    {
        var task = new TaskState
        {
            CorrelationId = Guid.NewGuid(),
            CreatedAt = DateTime.UnixEpoch.AddTicks(20),
            DueAt = DateTime.UnixEpoch.AddTicks(16_958_265_396_714_320),
            LeaseUntil = DateTime.UnixEpoch.AddTicks(10),
            FinishedAt = DateTime.UnixEpoch.AddYears(100),
        };
        foreach (var (list, at) in new[] { (TaskList.Live, DateTime.UnixEpoch), (TaskList.Waiting, task.DueAt),
            (TaskList.Running, task.LeaseUntil.Value), (TaskList.Dead, task.FinishedAt.Value) })
        {
            var cursor = new TaskCursor(at, task.CorrelationId, list == TaskList.Waiting ? task.CreatedAt : null);
            MoabPlace.Parse(MoabPlace.Behind(list, TaskCursor.Of(list, task)), list)
                .ShouldBe(new MoabPlace(cursor, IsBack: false));
            MoabPlace.Parse(MoabPlace.Before(list, TaskCursor.Of(list, task)), list)
                .ShouldBe(new MoabPlace(cursor, IsBack: true));
        }
    }

    [Fact]
    public void The_limits_are_those_of_the_documents_and_are_checked()
    {
        var options = new MoabOptions();
        (options.MaxEnqueueEntries, options.MaxQueues, options.MaxSchedulesPerQueue, options.MaxSchedules).ShouldBe((10, 100, 5, 50));
        Validator.TryValidateObject(options, new ValidationContext(options), null, validateAllProperties: true).ShouldBeTrue();
        foreach (var wrong in new MoabOptions[] { new() { MaxEnqueueEntries = 0 }, new() { MaxQueues = 0 },
            new() { MaxSchedulesPerQueue = 0 }, new() { MaxSchedules = 0 } })
            Validator.TryValidateObject(wrong, new ValidationContext(wrong), null, validateAllProperties: true).ShouldBeFalse();
    }

    private static QueueRecord Record(QueueSettings settings) =>
        new() { Name = "Q", Settings = settings, CreatedAt = DateTime.UnixEpoch, UpdatedAt = DateTime.UnixEpoch };

    private sealed class SamePage : IEqualityComparer<MoabPage<string>>
    {
        public bool Equals(MoabPage<string>? x, MoabPage<string>? y) =>
            x!.Items.SequenceEqual(y!.Items) && x.Next == y.Next && x.Previous == y.Previous;

        public int GetHashCode(MoabPage<string> page) => page.Items.Count;
    }
}
