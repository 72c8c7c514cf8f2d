using Shouldly;
using TaskQueue.Engine.Bulk;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>JSON patches (RFC 6902).</summary>
public sealed class BulkOperationPatchTests
{
    private const int Max = 10_000;

    // The examples of the RFC's appendix among them.
    [Theory]
    [InlineData("""{"foo":"bar"}""", """[{"op":"add","path":"/baz","value":"qux"}]""", """{"foo":"bar","baz":"qux"}""")]
    [InlineData("""{"foo":["bar","baz"]}""", """[{"op":"add","path":"/foo/1","value":"qux"}]""", """{"foo":["bar","qux","baz"]}""")]
    [InlineData("""{"baz":"qux","foo":"bar"}""", """[{"op":"remove","path":"/baz"}]""", """{"foo":"bar"}""")]
    [InlineData("""{"foo":["bar","qux","baz"]}""", """[{"op":"remove","path":"/foo/1"}]""", """{"foo":["bar","baz"]}""")]
    [InlineData("""{"baz":"qux","foo":"bar"}""", """[{"op":"replace","path":"/baz","value":"boo"}]""", """{"baz":"boo","foo":"bar"}""")]
    [InlineData("""{"a":{"x":1},"b":{}}""", """[{"op":"move","from":"/a/x","path":"/b/y"}]""", """{"a":{},"b":{"y":1}}""")]
    [InlineData("""{"foo":["a","b","c"]}""", """[{"op":"move","from":"/foo/1","path":"/foo/2"}]""", """{"foo":["a","c","b"]}""")]
    [InlineData("""{"foo":["bar"]}""", """[{"op":"add","path":"/foo/-","value":["abc","def"]}]""", """{"foo":["bar",["abc","def"]]}""")]
    [InlineData("""{"/":9,"~1":10}""", """[{"op":"test","path":"/~01","value":10}]""", """{"/":9,"~1":10}""")]
    [InlineData("""{"f":"b"}""", """[{"op":"add","path":"/child","value":{"a":null},"xyz":1}]""", """{"f":"b","child":{"a":null}}""")]
    [InlineData("""{"a":1}""", """[{"op":"replace","path":"","value":[]}]""", "[]")]
    [InlineData(
        """{"a":[1]}""", """[{"op":"copy","from":"/a","path":"/b"},{"op":"add","path":"/b/-","value":2}]""", """{"a":[1],"b":[1,2]}""")]
    [InlineData("""{"a":1.0}""", """[{"op":"test","path":"/a","value":1},{"op":"add","path":"/a","value":null}]""", """{"a":null}""")]
    [InlineData("""{"a":null}""", """[{"op":"test","path":"/a","value":null},{"op":"replace","path":"/a","value":2}]""", """{"a":2}""")]
    public void A_patch_applies(string json, string patch, string expected) => JsonPatch.Read(patch).Apply(json, Max).ShouldBe(expected);

    [Fact]
    public void What_a_patch_does_not_touch_keeps_its_value_exactly()
    {
        const string Json = """{"id":12345678901234567890123,"rate":1.10,"big":1e400,"text":"é<&>","nested":{"n":-0.0},"b":1}""";

        JsonPatch.Read("""[{"op":"replace","path":"/b","value":98765432109876543210.50}]""").Apply(Json, Max)
            .ShouldBe(Json.Replace("\"b\":1}", "\"b\":98765432109876543210.50}", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("""[{"op":"remove","path":"/x"}]""", "there is no place /x")]
    [InlineData("""[{"op":"replace","path":"/x","value":1}]""", "there is no place /x")]
    [InlineData("""[{"op":"add","path":"/x/y","value":1}]""", "there is no place /x/y")]
    [InlineData("""[{"op":"add","path":"/list/2","value":1}]""", "there is no place /list/2")]
    [InlineData("""[{"op":"replace","path":"/list/01","value":1}]""", "there is no place /list/01")]
    [InlineData("""[{"op":"remove","path":"/list/-"}]""", "there is no place /list/-")]
    [InlineData("""[{"op":"copy","from":"/x","path":"/y"}]""", "there is no place /x")]
    [InlineData("""[{"op":"test","path":"/secret","value":"2"}]""", "the test of /secret fails")]
    public void A_patch_that_does_not_apply_is_refused_without_quoting_the_payload(string patch, string problem)
    {
        var refused = Should.Throw<InvalidPatchException>(
            () => JsonPatch.Read(patch).Apply("""{"secret":"hunter2","list":[0]}""", Max));
        refused.Message.ShouldContain(problem);
        refused.Message.ShouldContain("patch[0]");
        refused.Message.ShouldNotContain("hunter2");
    }

    [Theory]
    [InlineData("not json hunter2")]
    [InlineData("""{"a":1,"a":2}""")]
    public void A_payload_that_cannot_be_patched_is_refused_without_quoting_it(string payload) =>
        Should.Throw<InvalidPatchException>(() => JsonPatch.Read("""[{"op":"add","path":"/b","value":1}]""").Apply(payload, Max))
            .Message.ShouldStartWith("the payload is not JSON that can be patched");

    [Theory]
    [InlineData("replace", "/data/$enc")]
    [InlineData("add", "/data/to")]
    [InlineData("test", "/data/$enc/kid")]
    public void Nothing_within_an_encoded_value_is_patched(string op, string path) =>
        Should.Throw<InvalidPatchException>(() => JsonPatch.Read($$"""[{"op":"{{op}}","path":"{{path}}","value":1}]""")
            .Apply("""{"data":{"$enc":{"kid":"k","data":"AAAA"}}}""", Max)).Message.ShouldContain("is encoded by the program");

    [Fact]
    public void An_encoded_value_is_replaced_as_a_whole() =>
        JsonPatch.Read("""[{"op":"replace","path":"/data","value":1}]""").Apply("""{"data":{"$enc":{"kid":"k"}}}""", Max)
            .ShouldBe("""{"data":1}""");

    [Fact]
    public void Copies_of_copies_are_bounded()
    {
        var steps = Enumerable.Repeat("""{"op":"copy","from":"","path":"/a/-"}""", 100);

        Should.Throw<InvalidPatchException>(() => JsonPatch.Read($"[{string.Join(',', steps)}]").Apply("""{"a":[]}""", Max))
            .Message.ShouldContain("would have more than");
    }

    [Theory]
    [InlineData("{}", "must be an array")]
    [InlineData("[]", "1 to 100 operations")]
    [InlineData("[1]", "patch[0].op must be add, remove")]
    [InlineData("""[{"op":"increment","path":"/a"}]""", "patch[0].op must be")]
    [InlineData("""[{"op":"remove"}]""", "patch[0].path must be a JSON pointer")]
    [InlineData("""[{"op":"remove","path":"a"}]""", "patch[0].path must be a JSON pointer")]
    [InlineData("""[{"op":"remove","path":"/a~2"}]""", "patch[0].path must be a JSON pointer")]
    [InlineData("""[{"op":"add","path":"/a"}]""", "patch[0].value is missing")]
    [InlineData("""[{"op":"move","path":"/a"}]""", "patch[0].from must be a JSON pointer")]
    [InlineData("""[{"op":"move","from":"/a","path":"/a/b"}]""", "moves a value into itself")]
    [InlineData("[", "not valid JSON")]
    public void A_patch_that_is_none_is_refused(string patch, string problem) =>
        Should.Throw<InvalidPatchException>(() => JsonPatch.Read(patch)).Message.ShouldContain(problem);
}
