using Shouldly;
using TaskQueue.Consumers.Upstreams;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Tokens that a streamed answer used.</summary>
public sealed class StreamUsageTests
{
    [Theory]
    [InlineData("""{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}""", 7)]
    [InlineData("""{"type":"response.completed","response":{"usage":{"input_tokens":3,"output_tokens":5}}}""", 8)]
    [InlineData("""{"choices":[{"delta":{"role":"assistant","content":"12345678"}}],"usage":null}""", 12)]
    [InlineData("""{"choices":[{"delta":{"tool_calls":[{"id":"call","type":"function","function":{"arguments":"1234"}}]}}]}""", 11)]
    [InlineData("""{"choices":[{"text":"12345678"}]}""", 12)]
    [InlineData("""{"type":"response.output_text.delta","delta":"1234"}""", 11)]
    [InlineData("""{"choices":[{"delta":{"content":"x"}}]}""", 11)]
    [InlineData("""{"choices":[{"delta":{}}]}""", null)]
    [InlineData("\"[DONE]\"", null)]
    public void The_usage_counts_or_the_text(string data, int? tokens)
    {
        var usage = new StreamUsage();

        usage.Add(data);

        usage.Tokens(10).ShouldBe(tokens);
    }

    [Fact]
    public void The_last_usage_counts()
    {
        var usage = new StreamUsage();

        usage.Add("""{"choices":[{"delta":{"content":"12345678"}}],"usage":{"total_tokens":5}}""");
        usage.Add("""{"choices":[{"delta":{"content":"12345678"}}],"usage":{"total_tokens":6}}""");

        usage.Tokens(10).ShouldBe(6);
    }
}
