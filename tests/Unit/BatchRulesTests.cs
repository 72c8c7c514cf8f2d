using System.Text;
using System.Text.Json;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Tasks;
using TaskQueue.Scheduler.Batches;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Items of batches: what is valid, what is identical, and what their results become.</summary>
public sealed class BatchRulesTests
{
    private const int Most = 1000;

    private static readonly BatchState Strict = new() { Strict = true, Endpoint = "/v1/x", State = BatchStates.Finalizing };

    [Theory]
    [InlineData("", null)]
    [InlineData(",\"stream\":false", null)]
    [InlineData(",\"stream\":null", null)]
    [InlineData(",\"stream\":true", "stream_not_supported")]
    public void A_request_for_a_stream_is_invalid(string more, string? code) =>
        (Parse($$$"""{"custom_id":"r","method":"POST","url":"/v1/x","body":{"model":"m"{{{more}}}}}""").Problem?.Code).ShouldBe(code);

    [Fact]
    public void A_large_request_has_a_code_of_its_own()
    {
        var large = new string('x', Most);

        var item = Parse($$$"""{"custom_id":"r","method":"POST","url":"/v1/x","body":{"x":"{{{large}}}"}}""");

        item.Problem!.Code.ShouldBe(BatchItem.TooLarge);
        BatchItem.Parse(null, Strict, Most).Problem!.Code.ShouldBe(BatchItem.TooLarge);
    }

    [Fact]
    public async Task Identical_requests_are_found_also_by_a_scheduler_that_takes_over()
    {
        var lines = string.Join('\n', Line("a", 1), Line("b", 2), Line("c", 1), Line("d", 3)) + "\n";
        using var input = new MemoryStream(Encoding.UTF8.GetBytes(lines));
        var begun = new BatchState { Strict = true, Endpoint = "/v1/x", LinesDone = 2, BytesDone = 2 * (Line("a", 1).Length + 1) };

        var twins = await BatchTwins.ReadAsync(begun, input, Most, default);

        twins.Mark(Parse(Line("c", 1))).Problem!.Code.ShouldBe(BatchTwins.Code);
        twins.Mark(Parse(Line("d", 3))).Problem.ShouldBeNull();
        twins.Mark(Parse(Line("e", 3))).CustomId.ShouldBe("e");
    }

    [Fact]
    public void Usage_is_summed_in_the_names_of_each_endpoint()
    {
        var usage = new BatchUsage();
        usage.ToText().ShouldBeNull();

        foreach (var body in new[]
        {
            """{"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}""",
            """{"usage":{"input_tokens":1,"output_tokens":2,"output_tokens_details":{"reasoning_tokens":1}}}""",
            """{"usage":{"prompt_tokens":7,"total_tokens":7}}""", """{"usage":null}""", """{"usage":{"prompt_tokens":"x"}}""", "[1]",
        })
            usage.Add(JsonDocument.Parse($$"""{"status_code":200,"body":{{body}}}""").RootElement);

        var sum = BatchUsage.Of(usage.ToText())!;
        (sum.InputTokens, sum.OutputTokens, sum.TotalTokens, sum.OutputTokensDetails.ReasoningTokens).ShouldBe((18, 7, 25, 1));
    }

    [Theory]
    [InlineData(TaskStates.Completed, """{"status_code":200,"body":{}}""", BatchStates.Finalizing, BatchResultKind.Output)]
    [InlineData(TaskStates.Completed, """{"status_code":500,"body":{}}""", BatchStates.Finalizing, BatchResultKind.Error)]
    [InlineData(TaskStates.Cancelled, null, BatchStates.Finalizing, BatchResultKind.Error)]
    [InlineData(TaskStates.Cancelled, null, BatchStates.Cancelling, BatchResultKind.Unfinished)]
    [InlineData(TaskStates.Cancelled, null, BatchStates.Expiring, BatchResultKind.Unfinished)]
    [InlineData(TaskStates.Failed, null, BatchStates.Cancelling, BatchResultKind.Error)]
    public void Only_what_a_batch_did_not_wait_for_is_unfinished(int task, string? result, int state, BatchResultKind kind)
    {
        var batch = new BatchState { Strict = true, State = state };

        BatchResults.Of(batch, new EndedBatchItem(Guid.NewGuid(), task, result, null, null)).Kind.ShouldBe(kind);
    }

    [Fact]
    public void A_result_is_copied_for_an_identical_item()
    {
        var task = new EndedBatchItem(Guid.NewGuid(), TaskStates.Completed, """{"status_code":200,"body":{"a":1}}""", null,
            new BatchHeaders("BATCH-1", "batch", "first", null) { Twins = "k" }.ToText());

        var twin = new InvalidBatchItem { CustomId = "second", Code = BatchTwins.Code, Message = "k" };

        var copy = BatchResults.Of(Strict, task, copyFor: twin);

        var line = JsonDocument.Parse(copy.Text).RootElement;
        line.GetProperty("custom_id").GetString().ShouldBe("second");
        line.GetProperty("response").GetProperty("body").GetRawText().ShouldBe("""{"a":1}""");
    }

    [Fact]
    public void Results_are_copied_until_the_copies_are_too_large()
    {
        var twins = Enumerable.Range(0, 5)
            .Select(n => new InvalidBatchItem { CustomId = $"r{n}", Code = BatchTwins.Code, Message = n < 4 ? "k" : "other" }).ToList();
        var copies = new BatchCopies(twins, maxBytes: 250);

        copies.Of("k", 100).Select(c => (c.Twin.CustomId, c.HasRoom)).ToList()
            .ShouldBe([("r0", true), ("r1", true), ("r2", false), ("r3", false)]);
        copies.Of("other", 1).Single().HasRoom.ShouldBeFalse();

        var line = BatchResults.OfNoRoom(new(Guid.NewGuid(), TaskStates.Completed, "{}", null, null), twins[2], 250);
        line.Kind.ShouldBe(BatchResultKind.Error);
        var root = JsonDocument.Parse(line.Text).RootElement;
        root.GetProperty("custom_id").GetString().ShouldBe("r2");
        root.GetProperty("error").GetProperty("code").GetString().ShouldBe("copies_too_large");
        BatchRetry.FailedOf(line.Text).ShouldBe(new FailedItem("r2", null), "it can be run again");
    }

    [Fact]
    public void A_deep_answer_does_not_keep_a_batch_from_being_retried()
    {
        var deep = new string('[', 5000) + new string(']', 5000);
        var result = new EndedBatchItem(Guid.NewGuid(), TaskStates.Completed, $$"""{"status_code":200,"body":{{deep}}}""", null, null);

        BatchRetry.FailedOf(BatchResults.Of(Strict, result).Text).ShouldBeNull();
    }

    [Fact]
    public void A_line_that_was_not_run_is_known_by_its_place()
    {
        var cancelled = new BatchState { State = BatchStates.Cancelling };

        var rest = BatchResults.OfRest(cancelled, new BatchItem(null, "{}", null, null), 7);

        BatchRetry.FailedOf(rest.Text).ShouldBe(new FailedItem(null, 7));
    }

    [Fact]
    public void An_unreadable_result_is_not_run_again() =>
        BatchRetry.FailedOf(BatchResults.OfUnreadable(Guid.NewGuid())).ShouldBeNull();

    [Theory]
    [InlineData(3600, 24, 25)]
    [InlineData(172_800, 24, 48)]
    [InlineData(null, 24, null)]
    public void The_input_of_a_retry_is_kept_until_its_batch_has_ended(int? outputSeconds, int windowHours, int? keptHours) =>
        BatchRetry.KeepOf(new BatchState
        {
            CreatedAt = DateTime.UnixEpoch, DeadlineAt = DateTime.UnixEpoch.AddHours(windowHours), OutputExpiresAfter = outputSeconds,
        }).ShouldBe(keptHours is { } hours ? TimeSpan.FromHours(hours) : null);

    [Fact]
    public void A_line_of_a_result_has_no_other_end()
    {
        var result = "{\"status_code\":200,\"body\":{\"text\":\"a\u2028b\u2029c\u0085d\",\n\"x\":\r1}}";

        var text = Encoding.UTF8.GetString(BatchResults.Of(Strict, new(Guid.NewGuid(), TaskStates.Completed, result, null, null)).Text);

        text.IndexOfAny(['\n', '\r', '\u0085', '\u2028', '\u2029']).ShouldBe(-1);
        JsonDocument.Parse(text).RootElement.GetProperty("response").GetProperty("body").GetProperty("text").GetString()
            .ShouldBe("a\u2028b\u2029c\u0085d");
    }

    [Theory]
    [InlineData(0.5, Priority.High)]
    [InlineData(1, Priority.High)]
    [InlineData(24, null)]
    public void Batches_with_little_time_go_first(double hours, Priority? priority) =>
        BatchExpander.PriorityOf(new BatchState { CreatedAt = DateTime.UnixEpoch, DeadlineAt = DateTime.UnixEpoch.AddHours(hours) })
            .ShouldBe(priority);

    [Theory]
    [InlineData("v1-chat-completions", false, 5)]
    [InlineData("of-a-model", true, 5)]
    [InlineData("of-a-worker", false, 1)]
    public void The_items_of_an_upstream_survive_the_loss_of_a_process(string queue, bool isServed, int attempts) =>
        BatchExpander.AttemptsOf(new BatchState { Queue = queue, Endpoint = "/v1/chat/completions" }, isServed).ShouldBe(attempts);

    private static string Line(string id, int n) =>
        $$$"""{"custom_id":"{{{id}}}","method":"POST","url":"/v1/x","body":{"n":{{{n}}}}}""";

    private static BatchItem Parse(string line) => BatchItem.Parse(Encoding.UTF8.GetBytes(line), Strict, Most);
}
