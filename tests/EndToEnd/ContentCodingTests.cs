using System.IO.Compression;
using Shouldly;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Bodies with a Content-Encoding, on a route of each API that reads one.</summary>
public sealed class ContentCodingTests(SqliteStack stack) : IClassFixture<SqliteStack>
{
    [Theory]
    [InlineData("/tasks")]
    [InlineData("/tasks/bulk")]
    [InlineData("/workers/claim")]
    [InlineData("/workers/heartbeat")]
    [InlineData("/workers/report")]
    [InlineData("/v1/queue/register")]
    [InlineData("/v1/queue/put")]
    [InlineData("/v1/queue/take")]
    [InlineData("/v1/batches")]
    [InlineData("/v1/files")]
    [InlineData("/moab/Enqueue")]
    [InlineData("/agent/process-async")]
    public async Task An_encoded_body_is_refused_as_such(string path)
    {
        foreach (var coding in new[] { "gzip", "GZIP", "identity, br", "x-unknown" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = Body(coding) };
            using var response = await stack.Http.SendAsync(request);
            var text = await response.Content.ReadAsStringAsync();
            ((int)response.StatusCode).ShouldBe(415, text);
            text.ShouldContain("Content-Encoding");
            response.Headers.GetValues("Accept-Encoding").ShouldBe(["identity"]);
        }
    }

    [Theory]
    [InlineData("identity")]
    [InlineData("utf-8")]
    public async Task A_body_that_only_names_no_coding_is_read(string coding)
    {
        var content = new ByteArrayContent("{\"action\":\"a\",\"queue\":\"coding\"}"u8.ToArray());
        content.Headers.TryAddWithoutValidation("Content-Encoding", coding);
        using var response = await stack.Http.PostAsync("/tasks", content);
        ((int)response.StatusCode).ShouldBe(202);
    }

    private static ByteArrayContent Body(string coding)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
            gzip.Write("{\"action\":\"a\"}"u8);
        var content = new ByteArrayContent(packed.ToArray());
        content.Headers.ContentType = new("application/json");
        content.Headers.TryAddWithoutValidation("Content-Encoding", coding);
        return content;
    }
}
