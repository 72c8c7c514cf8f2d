using System.Text.Json;
using Shouldly;
using TaskQueue.Adapters.Moab;
using TaskQueue.Contracts;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Errors;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>How the Moab API reads JSON, words and payloads.</summary>
public sealed class MoabBodyTests
{
    private const long Nanoseconds = 1_695_826_539_671_432_001; // no double has it

    [Theory]
    [InlineData("1695826539671432001")]
    [InlineData("\"1695826539671432001\"")]
    public void Integers_are_exact_quoted_or_not(string number) =>
        Enqueue($$"""{"entries":[{"scheduled_at":{{number}}}]}""").Entries![0]!.ScheduledAt.ShouldBe(Nanoseconds);

    [Fact]
    public void The_smallest_and_the_largest_integer_are_read()
    {
        Enqueue("""{"entries":[{"scheduled_at":9223372036854775807,"expires_at":"-9223372036854775808"}]}""").Entries![0]!
            .ShouldBe(new MoabEnqueueEntry { ScheduledAt = long.MaxValue, ExpiresAt = long.MinValue });
    }

    [Theory]
    [InlineData("1.7e18")]
    [InlineData("1.5")]
    [InlineData("1.0")]
    [InlineData("1e3")]
    [InlineData("9223372036854775808")]
    [InlineData("\"1.7e18\"")]
    [InlineData("\"\"")]
    [InlineData("\" 1\"")]
    [InlineData("\"1,000\"")]
    [InlineData("true")]
    [InlineData("{}")]
    [InlineData("[]")]
    public void A_value_that_is_not_an_integer_is_refused_with_its_location(string number)
    {
        var fault = Should.Throw<ApiException>(() => Enqueue($$"""{"entries":[{},{"scheduled_at":{{number}}}]}""")).Fault;

        fault.Status.ShouldBe(400);
        fault.Message.ShouldStartWith("entries[1].scheduled_at must be an integer");
    }

    [Fact]
    public void Names_may_be_camelCase_and_unknown_members_comments_and_trailing_commas_are_ignored()
    {
        var body = Read(
            """
            // a sample with comments
            {
              "queueName": "Q", /* both kinds */
              "dead_tasks_set_config": {"a": [1.5, {"b": null}]},
              "entries": [
                {
                  "dedupeKey": "k", "keepaliveTimeoutInSeconds": "60", "payloadBase64": "/w==", "threadId": "T",
                  "overwriteOnDuplicate": ["PAYLOAD"],
                  "retryStrategy": {"retryIntervalsInSeconds": [1, "2"]},
                  // "expires_at": 1
                },
              ],
            }
            """,
            MoabJson.Instance.MoabEnqueueBody);

        body.QueueName.ShouldBe("Q");
        var entry = body.Entries!.Single()!;
        entry.DedupeKey.ShouldBe("k");
        entry.KeepaliveTimeoutInSeconds.ShouldBe(60);
        entry.PayloadBase64.ShouldBe("/w==");
        entry.ThreadId.ShouldBe("T");
        entry.OverwriteOnDuplicate.ShouldBe(["PAYLOAD"]);
        entry.RetryStrategy!.RetryIntervalsInSeconds.ShouldBe([1L, 2L]);
        entry.ExpiresAt.ShouldBeNull();
    }

    [Theory]
    [InlineData("max_in_progress_tasks")]
    [InlineData("maxInProgressTasks")]
    [InlineData("max_inflight_tasks")]
    [InlineData("maxInflightTasks")]
    public void Older_names_are_read(string name) =>
        Read($$$"""{"dequeuing_settings":{"{{{name}}}":7}}""", MoabJson.Instance.MoabCreateQueueBody)
            .DequeuingSettings!.MaxInProgressTasks.ShouldBe(7);

    [Fact]
    public void Absent_null_and_empty_strategies_are_distinguished()
    {
        var entries = Enqueue(
            """{"entries":[{},{"retry_strategy":null},{"retry_strategy":{}},{"retry_strategy":{"retry_intervals_in_seconds":[5]}}]}""")
            .Entries!;

        entries.Select(e => MoabFields.Retries(e!.RetryStrategy).MaxAttempts).ShouldBe([null, null, 1, 2]);
        MoabFields.Retries(entries[3]!.RetryStrategy).Retry!.Intervals.ShouldBe([5.0]);
    }

    [Theory]
    [InlineData("[]", "the body")]
    [InlineData("1", "the body")]
    [InlineData("null", "the body")]
    [InlineData("""{"queue_name":1}""", "queue_name")]
    [InlineData("""{"entries":{}}""", "entries")]
    [InlineData("""{"entries":[1]}""", "entries[0]")]
    [InlineData("""{"entries":[{"payload":{}}]}""", "entries[0].payload")]
    [InlineData("""{"entries":[{"overwrite_on_duplicate":"PAYLOAD"}]}""", "entries[0].overwrite_on_duplicate")]
    public void A_wrong_shape_is_refused_with_its_location(string body, string place)
    {
        var fault = Should.Throw<ApiException>(() => Enqueue(body)).Fault;

        fault.Status.ShouldBe(400);
        fault.Message.ShouldStartWith(place + " ");
    }

    [Theory]
    [InlineData("SUCCEEDED", nameof(MoabStatus.Succeeded))]
    [InlineData("STATUS_SUCCEEDED", nameof(MoabStatus.Succeeded))]
    [InlineData("IN_PROGRESS", nameof(MoabStatus.InProgress))]
    [InlineData("STATUS_IN_PROGRESS", nameof(MoabStatus.InProgress))]
    [InlineData("INFLIGHT", nameof(MoabStatus.InProgress))]
    [InlineData("STATUS_INFLIGHT", nameof(MoabStatus.InProgress))]
    [InlineData("FAILED", nameof(MoabStatus.Failed))]
    [InlineData("STATUS_FAILED", nameof(MoabStatus.Failed))]
    public void A_status_is_short_long_or_old(string word, string status) => MoabWords.Status(word, "status").ToString().ShouldBe(status);

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("STATUS_INVALID")]
    [InlineData("STATUS_")]
    [InlineData("succeeded")]
    [InlineData("TASK_STATE_FAILED")]
    public void An_unknown_status_is_refused(string? word) =>
        Should.Throw<ApiException>(() => MoabWords.Status(word, "status")).Fault.Status.ShouldBe(400);

    [Theory]
    [InlineData(null, TaskList.Live)]
    [InlineData("", TaskList.Live)]
    [InlineData("TASK_STATE_INVALID", TaskList.Live)]
    [InlineData("ENQUEUED", TaskList.Waiting)]
    [InlineData("TASK_STATE_ENQUEUED", TaskList.Waiting)]
    [InlineData("INFLIGHT", TaskList.Running)]
    [InlineData("TASK_STATE_INFLIGHT", TaskList.Running)]
    [InlineData("IN_PROGRESS", TaskList.Running)]
    [InlineData("TASK_STATE_IN_PROGRESS", TaskList.Running)]
    [InlineData("DEAD", TaskList.Dead)]
    [InlineData("TASK_STATE_DEAD", TaskList.Dead)]
    public void A_state_is_short_long_old_or_absent(string? word, TaskList list) => MoabWords.List(word).ShouldBe(list);

    [Fact]
    public void Units_and_overwritten_fields_are_short_or_long()
    {
        foreach (var (word, ms) in new[] { ("SECONDS", 1_000), ("MINUTES", 60_000), ("HOURS", 3_600_000) })
        {
            MoabWords.Unit(word, "interval_unit").ShouldBe((word, ms));
            MoabWords.Unit("INTERVAL_UNIT_" + word, "interval_unit").ShouldBe((word, ms));
        }

        foreach (var wrong in new[] { null, "", "INTERVAL_UNIT_INVALID", "DAYS", "seconds" })
            Should.Throw<ApiException>(() => MoabWords.Unit(wrong, "interval_unit"));
        MoabWords.Overwrite(null, "o").ShouldBe(OverwriteFields.None);
        MoabWords.Overwrite([], "o").ShouldBe(OverwriteFields.None);
        MoabWords.Overwrite(["PAYLOAD", "OVERWRITE_ON_DUPLICATE_SCHEDULED_AT", "EXPIRES_AT", "PAYLOAD"], "o")
            .ShouldBe(OverwriteFields.Payload | OverwriteFields.ScheduledAt | OverwriteFields.ExpiresAt);
        foreach (var wrong in new[] { null, "", "OVERWRITE_ON_DUPLICATE_INVALID", "payload" })
            Should.Throw<ApiException>(() => MoabWords.Overwrite(["PAYLOAD", wrong], "o"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{\"a\": 1}")]
    [InlineData("é 😀 \u0001")]
    [InlineData("a\0b")]
    [InlineData("data:application/octet-stream;base64,AAEC")]
    [InlineData("data:application/octet-stream;base64,")]
    public void Text_is_read_as_it_was_written(string text)
    {
        var kept = MoabPayload.FromText(text);

        kept.ShouldNotContain("\0");
        MoabPayload.Read(kept).ShouldBe((text, null));
        MoabPayload.FromBytes(System.Text.Encoding.UTF8.GetBytes(text)).ShouldBe(kept);
    }

    [Fact]
    public void Bytes_that_are_not_text_are_read_as_base64()
    {
        var random = new Random(4711);
        for (var length = 1; length < 300; length++)
        {
            var bytes = new byte[length];
            random.NextBytes(bytes);
            bytes[random.Next(length)] = 0xFF;

            var (text, base64) = MoabPayload.Read(MoabPayload.FromBytes(bytes));

            text.ShouldBeEmpty();
            Convert.FromBase64String(base64!).ShouldBe(bytes);
        }
    }

    [Fact]
    public void A_payload_of_another_API_that_only_looks_like_bytes_is_text() =>
        MoabPayload.Read("data:application/octet-stream;base64,***").ShouldBe(("data:application/octet-stream;base64,***", null));

    private static MoabEnqueueBody Enqueue(string body) => Read(body, MoabJson.Instance.MoabEnqueueBody);

    private static T Read<T>(string body, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
        where T : class
    {
        using var document = JsonDocument.Parse(body,
            new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        return MoabBody.Read(document.RootElement, type);
    }
}
