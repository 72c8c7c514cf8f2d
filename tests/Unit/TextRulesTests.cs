using System.Text.Json;
using Shouldly;
using TaskQueue.Engine;
using Xunit;

namespace TaskQueue.Tests.Unit;

public sealed class TextRulesTests
{
    [Theory]
    [InlineData("""{"a":"x"}""", "x")]
    [InlineData("""{"a":""}""", "")]
    [InlineData("""{"a":null}""", null)]
    [InlineData("""{"a":1}""", null)]
    [InlineData("""{"b":"x"}""", null)]
    [InlineData("""["a"]""", null)]
    [InlineData("""{"a":"\ud800"}""", null)]
    [InlineData("""{"\ud800":1}""", null)]
    [InlineData("""{"a":"\ud83d\ude00"}""", "\ud83d\ude00")]
    public void A_member_is_read_if_it_is_text(string json, string? text) => TextRules.Read(JsonElement.Parse(json), "a").ShouldBe(text);
}
