using System.Net;
using System.Text;
using Shouldly;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>What clients of OpenAI's endpoints read of an answer besides its body.</summary>
public sealed class OnlineRefusalTests(ModelsOnSqlite server) : IClassFixture<ModelsOnSqlite>
{
    [Theory]
    [InlineData("refuse", 400, "context_length_exceeded")]
    [InlineData("refuse plainly", 422, "it cannot be processed")] // not in OpenAI's format
    public async Task A_stream_that_is_refused_has_the_status_and_the_body_of_the_upstream(string text, int status, string body)
    {
        using var answer = await AskAsync("m", text, "true");

        ((int)answer.StatusCode).ShouldBe(status);
        answer.Content.Headers.ContentType!.MediaType.ShouldBe("application/json");
        (await answer.Content.ReadAsStringAsync()).ShouldContain(body);
    }

    [Fact]
    public async Task A_stream_that_is_only_an_error_is_passed_on()
    {
        using var answer = await AskAsync("m", "refuse in a stream", "true");

        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        (await answer.Content.ReadAsStringAsync()).ShouldStartWith("""data: {"error":{"message":"out of memory",""");
    }

    [Theory]
    [InlineData("true")]
    [InlineData("false")]
    public async Task A_request_that_is_refused_for_now_is_told_when_to_try_again(string stream)
    {
        using var answer = await AskAsync("m-busy", $"busy, stream {stream}", stream);

        answer.StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
        answer.Headers.RetryAfter!.Delta.ShouldBe(TimeSpan.FromSeconds(1)); // without it some clients give up
    }

    [Theory]
    [InlineData("true")]
    [InlineData("false")]
    public async Task An_answer_names_its_task(string stream)
    {
        using var answer = await AskAsync("m", "hello", stream);

        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        answer.Headers.GetValues("x-request-id").Single().ShouldStartWith("TASK-");
    }

    private async Task<HttpResponseMessage> AskAsync(string model, string text, string stream)
    {
        using var body = new StringContent(
            $$"""{"model":"{{model}}","stream":{{stream}},"messages":[{"role":"user","content":"{{text}}"}]}""", Encoding.UTF8,
            "application/json");
        return await server.Http.PostAsync(new Uri("/v1/chat/completions", UriKind.Relative), body);
    }
}
