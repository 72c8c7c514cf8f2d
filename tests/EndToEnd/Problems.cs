using System.Text.Json;
using Shouldly;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Errors of native routes: RFC 9457 with a stable code.</summary>
internal static class Problems
{
    public static JsonElement Expect(Reply reply, int status, string code)
    {
        reply.Status.ShouldBe(status, reply.Text);
        reply.ContentType.ShouldBe("application/problem+json", reply.Text);
        reply.Json.Whole("status").ShouldBe(status);
        reply.Json.Text("code").ShouldBe(code, reply.Text);
        reply.Json.Text("title").ShouldNotBeNullOrEmpty();
        reply.Json.Text("detail").ShouldNotBeNullOrEmpty();
        return reply.Json;
    }
}
