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
}
