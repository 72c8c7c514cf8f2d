using System.Text.Json;
using Shouldly;
using TaskQueue.Engine.Telemetry;
using Xunit;

namespace TaskQueue.Tests.Unit;

public sealed class TraceHeadersTests
{
    private const string Parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    private static readonly TraceHeaders Trace = new(Parent, "a=\"1\"");

    [Theory]
    [InlineData(null)]
    [InlineData("{}")]
    [InlineData(" { } ")]
    [InlineData("""{"a":"1","b":{"c":2}}""")]
    [InlineData("""{"custom":"traceparent"}""")]
    public void A_trace_is_added_to_existing_headers(string? headers)
    {
        var merged = Trace.Into(headers);

        TraceHeaders.Of(merged).ShouldBe(Trace);
        var members = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(headers ?? "{}")!;
        var after = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(merged!)!;
        after.Keys.ShouldBe(["traceparent", "tracestate", .. members.Keys]);
        foreach (var (name, value) in members)
            after[name].GetRawText().ShouldBe(value.GetRawText());
    }

    [Theory]
    [InlineData("""{"traceparent":"mine"}""")]
    [InlineData("""{"a":1,"tracestate":"mine"}""")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("no JSON")]
    [InlineData("")]
    public void Headers_with_a_trace_and_headers_that_are_not_an_object_stay_unchanged(string headers) =>
        Trace.Into(headers).ShouldBe(headers);

    [Theory]
    [InlineData(null)]
    [InlineData("{}")]
    [InlineData("""{"traceparent":"mine"}""")]
    [InlineData("""{"traceparent":1}""")]
    [InlineData("""["traceparent"]""")]
    [InlineData("traceparent")]
    [InlineData("""{"traceparent":"00-00000000000000000000000000000000-b7ad6b7169203331-01"}""")]
    public void Invalid_trace_headers_are_ignored(string? headers) => TraceHeaders.Of(headers).ShouldBeNull();

    [Fact]
    public void A_trace_state_invalid_in_an_HTTP_header_is_omitted()
    {
        TraceHeaders.Of($$"""{"traceparent":"{{Parent}}","tracestate":"a=1\nb: 2"}""").ShouldBe(new TraceHeaders(Parent, null));
        TraceHeaders.Of(
            $$"""{"traceparent":"{{Parent}}","tracestate":"{{new string('a', 513)}}"}""").ShouldBe(new TraceHeaders(Parent, null));
    }
}
