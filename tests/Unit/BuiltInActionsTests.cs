using Shouldly;
using TaskQueue.Consumers.Actions;
using Xunit;

namespace TaskQueue.Tests.Unit;

public sealed class BuiltInActionsTests
{
    [Theory]
    [InlineData("""{"action":"uppercase","data":{"text":"hello"}}""", """{"output":"HELLO"}""")]
    [InlineData("""{"action":"uppercase","data":{"text":"grün ÿ привет ω"}}""", """{"output":"GRÜN Ÿ ПРИВЕТ Ω"}""")]
    [InlineData("""{"action":"uppercase","data":{"text":"😀 \"q\" \\ \n"}}""", """{"output":"😀 \"Q\" \\ \n"}""", true)]
    [InlineData("""{"action":"uppercase","data":{"text":""}}""", """{"output":""}""")]
    [InlineData("""{"action":"uppercase","data":{"text":null}}""", """{"output":""}""")]
    [InlineData("""{"action":"uppercase","data":{}}""", """{"output":""}""")]
    [InlineData("""{"action":"uppercase","data":null}""", """{"output":""}""")]
    [InlineData("""{"action":"uppercase"}""", """{"output":""}""")]
    [InlineData("""{"action":"uppercase","data":{"text":7.5}}""", """{"output":"7.5"}""")]
    public void Uppercase_returns_the_text_in_capitals(string message, string result, bool asJson = false)
    {
        var output = BuiltInActions.Run(message);

        if (asJson)
            System.Text.Json.Nodes.JsonNode.Parse(output)!["output"]!.GetValue<string>()
                .ShouldBe(System.Text.Json.Nodes.JsonNode.Parse(result)!["output"]!.GetValue<string>());
        else
            output.ShouldBe(result);
    }

    [Theory]
    [InlineData("[1,2,3]", "6")]
    [InlineData("[1,2.5,3]", "6.5")]
    [InlineData("[1.0,5.0]", "6")]
    [InlineData("[]", "0")]
    [InlineData("null", "0")]
    [InlineData("{}", "0")]
    [InlineData("[1,2,null,4]", "3")]
    [InlineData("[null,\"x\"]", "0")]
    [InlineData("[-5,5]", "0")]
    [InlineData("[9223372036854775807,1]", "9223372036854775808")]
    [InlineData("[0.1,0.2]", "0.30000000000000004")]
    public void Sum_adds_the_numbers_up_to_the_first_null(string numbers, string total) =>
        BuiltInActions.Run($$$"""{"action":"sum","data":{"numbers":{{{numbers}}}}}""").ShouldBe($$"""{"output":{{total}}}""");

    [Fact]
    public void Sum_of_nothing_is_zero() => BuiltInActions.Run("""{"action":"sum","data":{}}""").ShouldBe("""{"output":0}""");

    [Theory]
    [InlineData("""{"action":"reverse","data":{"text":"x"}}""")]
    [InlineData("""{"action":"Uppercase"}""")]
    [InlineData("""{"action":7}""")]
    [InlineData("""{"action":null}""")]
    [InlineData("{}")]
    public void Every_other_action_is_processed(string message) => BuiltInActions.Run(message).ShouldBe("""{"output":"processed"}""");

    [Theory]
    [InlineData("""{"action":"sum","data":{"numbers":[1,"2"]}}""")]
    [InlineData("""{"action":"sum","data":{"numbers":[1,true]}}""")]
    [InlineData("""{"action":"sum","data":{"numbers":[[1]]}}""")]
    [InlineData("""{"action":"sum","data":{"numbers":"12"}}""")]
    [InlineData("""{"action":"sum","data":{"numbers":[1e308,1e308]}}""")]
    [InlineData("""{"action":"sum","data":7}""")]
    [InlineData("""{"action":"uppercase","data":{"text":["x"]}}""")]
    [InlineData("[]")]
    [InlineData("nonsense")]
    public void Bad_data_fails_the_action(string message) => Should.Throw<ActionFailedException>(() => BuiltInActions.Run(message));
}
