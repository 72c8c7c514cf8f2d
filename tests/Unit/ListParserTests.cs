using System.Buffers;
using System.Text;
using System.Text.Json;
using Shouldly;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>A list in a body is read entry by entry, wherever the body is split.</summary>
public sealed class ListParserTests
{
    private static readonly RequestList List = new("tasks", 1000, 1000, 3, "the rule");

    [Theory]
    [InlineData("""{"tasks":[{"a":1},{"b":"ü\"]}"}]}""", """{"a":1}|{"b":"ü\"]}"}""")]
    [InlineData("""  { "tasks" : [ 1 , "two" , [3,{"tasks":[9]}] ]  }  """, """1|"two"|[3,{"tasks":[9]}]""")]
    [InlineData("""{"tasks":[]}""", "")]
    [InlineData("{}", "")]
    public void Every_way_to_split_the_input_gives_the_same_entries(string body, string entries)
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        for (var size = 1; size <= bytes.Length; size++)
            string.Join('|', Parse(bytes, size)).ShouldBe(entries, $"parts of {size} bytes");
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("7")]
    [InlineData("""{"tasks":{}}""")]
    [InlineData("""{"tasks":null}""")]
    [InlineData("""{"tasks":[1,2,3,4]}""")]
    public void A_body_without_such_a_list_breaks_the_rule(string body) =>
        Should.Throw<ApiException>(() => Parse(Encoding.UTF8.GetBytes(body), 3)).Message.ShouldBe("the rule");

    [Theory]
    [InlineData("""{"tasks":[1],"tasks":[2,3]}""")]
    [InlineData("""{"tasks":[],"tasks":[]}""")]
    public void F21_A_second_list_is_refused(string body)
    {
        for (var size = 1; size <= body.Length; size++)
            Should.Throw<ApiException>(() => Parse(Encoding.UTF8.GetBytes(body), size)).Message.ShouldBe("tasks is given twice");
    }

    [Fact]
    public void F20_A_long_name_is_cut_in_the_answer() =>
        Should.Throw<ApiException>(() => Parse(Encoding.UTF8.GetBytes($$"""{"{{new string('x', 900)}}":1}"""), 1000))
            .Message.Length.ShouldBeLessThan(200);

    [Theory]
    [InlineData("""{"x":[1,{"tasks":[9]}],"tasks":[1]}""")]
    [InlineData("""{"tasks":[1],"x":null}""")]
    public void F03_Another_member_is_refused_by_its_name(string body) =>
        Should.Throw<ApiException>(() => Parse(Encoding.UTF8.GetBytes(body), 3)).Message.ShouldStartWith("x is not a member");

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("""{"tasks":[1""")]
    [InlineData("""{"tasks":[1]""")]
    [InlineData("""{"tasks":[1,]}""")]
    [InlineData("""{"tasks":[1]} x""")]
    [InlineData("""{"tasks":[1]}{}""")]
    public void Invalid_JSON_is_refused_wherever_the_input_is_split(string body)
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        for (var size = 1; size <= bytes.Length + 1; size++)
            Should.Throw<JsonException>(() => Parse(bytes, size));
    }

    [Fact]
    public void Bytes_that_are_not_UTF8_are_refused()
    {
        byte[] body = [.. "{\"tasks\":[\""u8, 0xC3, 0x28, .. "\"]}"u8];
        for (var size = 1; size <= body.Length; size++)
            Should.Throw<ApiException>(() => Parse(body, size)).Fault.Code.ShouldBe("invalid_json");
    }

    /// <summary>Like a pipe: unconsumed bytes come again, followed by the next part.</summary>
    private static List<string> Parse(byte[] body, int size)
    {
        var parser = new ListParser<string>(List, (entry, _) => entry.GetRawText());
        var (from, to) = (0L, 0);
        while (true)
        {
            to = Math.Min(to + size, body.Length);
            var part = new ReadOnlySequence<byte>(body.AsMemory((int)from, to - (int)from));
            from += part.Slice(0, parser.Parse(part, to == body.Length)).Length;
            if (to == body.Length)
                return parser.Entries;
        }
    }
}
