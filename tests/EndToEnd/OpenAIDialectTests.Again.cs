using System.Net;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.EndToEnd.BatchUpstreamServer;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Requests that are sent again, and lines that are run again.</summary>
public sealed partial class OpenAIDialectTests
{
    private const string Key = "Idempotency-Key";

    [Fact]
    public async Task A_request_with_a_key_is_known_after_its_input_was_deleted()
    {
        server.Upstream.Usual = context => TestUpstream.SayAsync(context, 200, TestUpstream.Completion);
        var file = await server.UploadAsync(Lines(1));
        var body = $$"""{"input_file_id":"{{file}}","endpoint":"/v1/chat/completions","completion_window":"24h"}""";
        var first = (await PostAsync("/v1/batches", body, (Key, "input-gone"))).Ok().GetProperty("id").GetString()!;
        await server.EndAsync(first, Deadline);
        (await server.Http.DeleteAsync(Path($"/v1/files/{file}"))).EnsureSuccessStatusCode();

        var again = (await PostAsync("/v1/batches", body, (Key, "input-gone"))).Ok();

        (again.GetProperty("id").GetString(), again.GetProperty("status").GetString()).ShouldBe((first, "completed"));
        Counts(again).ShouldBe((1, 1, 0));
        (await PostAsync("/v1/batches", body, (Key, "another"))).Status.ShouldBe(HttpStatusCode.NotFound);
    }

    [Theory]
    [InlineData(null, null)] // no custom_id
    [InlineData("same", "same")]
    public async Task A_retry_whose_lines_are_not_known_exactly_is_refused(string? bad, string? good)
    {
        var id = await RunForBellaAsync((bad, true), (good, false));

        foreach (var path in new[] { $"/v1/batches/{id}/retry-failed", $"/batches/{id}/retry-failed" })
        {
            var refused = await PostAsync(path, "");
            refused.Status.ShouldBe(HttpStatusCode.Conflict, refused.Body);
            refused.Body.ShouldContain("not_retryable");
            refused.Body.ShouldContain("custom_id");
        }

        (await ReadAsync("/v1/files?purpose=batch")).GetProperty("data").EnumerateArray()
            .Select(f => f.GetProperty("filename").GetString()).ShouldNotContain($"retry_{id}.jsonl");
    }

    [Fact]
    public async Task Lines_with_the_same_id_are_run_again_if_all_of_them_failed()
    {
        var id = await RunForBellaAsync(("same", true), ("other", false), ("same", true), (null, false));
        server.Upstream.Usual = context => TestUpstream.SayAsync(context, 200, TestUpstream.Completion);

        var again = (await PostAsync($"/v1/batches/{id}/retry-failed", "")).Ok();

        var ended = await server.EndAsync(again.GetProperty("id").GetString()!, Deadline);
        Counts(ended).ShouldBe((2, 2, 0));
        (await server.LinesAsync(ended, "output_file_id")).Select(l => l.GetProperty("custom_id").GetString()).ShouldBe(["same", "same"]);
    }

    [Fact]
    public async Task A_native_retry_with_a_key_creates_one_batch()
    {
        server.Upstream.Usual = context => TestUpstream.SayAsync(context, 400, """{"error":{"message":"no"}}""");
        var path = $"/batches/{(await server.RunAsync(1, Deadline)).GetProperty("id").GetString()}/retry-failed";

        var first = await PostAsync(path, "", (Key, "native"));
        var same = await PostAsync(path, "", (Key, "native"));
        var other = await PostAsync(path, "", (Key, "native-2"));

        foreach (var answer in new[] { first, same, other })
            answer.Status.ShouldBe(HttpStatusCode.Created, answer.Body);
        same.Json.GetProperty("id").GetString().ShouldBe(first.Json.GetProperty("id").GetString());
        other.Json.GetProperty("id").GetString().ShouldNotBe(first.Json.GetProperty("id").GetString());
    }

    /// <summary>Runs a batch in the dialect whose lines need no ids, and returns its id.</summary>
    private async Task<string> RunForBellaAsync(params (string? Id, bool IsRefused)[] items)
    {
        server.Upstream.Usual = context => TestUpstream.BodyOf(context).Contains("refuse", StringComparison.Ordinal)
            ? TestUpstream.SayAsync(context, 400, """{"error":{"message":"no"}}""")
            : TestUpstream.SayAsync(context, 200, TestUpstream.Completion);
        var lines = items.Select(i => (i.Id is null ? "{" : $"{{\"custom_id\":\"{i.Id}\",")
            + $"\"body\":{{\"model\":\"m\",\"text\":\"{(i.IsRefused ? "refuse" : "go")}\"}}}}");
        var file = await server.UploadAsync(string.Join('\n', lines));
        var created = await PostAsync("/v1/batches",
            $$"""{"input_file_id":"{{file}}","endpoint":"/v1/chat/completions","completion_window":"24h"}""", ("X-Bella-Dialect", "bella"));
        var id = created.Ok().GetProperty("id").GetString()!;
        Counts(await server.EndAsync(id, Deadline)).ShouldBe((items.Length, items.Length, 0));
        return id;
    }
}
